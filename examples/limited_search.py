"""Search under a limit: no architecture above it is proposed, so none is trained for nothing."""

import optuna

from relativenas_optuna import CellSpace, Genotype, MIGOSampler, SupernetObjective

space = CellSpace(nodes=2, operations=("skip_connect", "max_pool_3x3", "sep_conv_3x3"))
objective = SupernetObjective(space, "digits", settings="digits", seed=0)
sampler = MIGOSampler(
    space.distributions,
    seed=0,
    # The costs of networks as large as the supernet; networks.costs_of gives those of other sizes.
    limits={"parameters": 12_000},
    costs=objective.costs,
)

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(sampler=sampler)
study.optimize(objective, n_trials=9)  # three sweeps

most = max(trial.user_attrs["parameters"] for trial in study.trials)
best = study.best_trial
print(f"{len(study.trials)} architectures, none with more than {most:,} parameters")
print(f"trial {best.number}: loss {best.value:.3f}, {best.user_attrs['parameters']:,} parameters")
print(Genotype.from_text(best.user_attrs["genotype"]))
