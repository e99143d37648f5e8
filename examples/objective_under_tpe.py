"""Use the shared supernet as the objective of one of Optuna's own samplers."""

import optuna

from relativenas_optuna import CellSpace, Genotype, SupernetObjective

space = CellSpace(nodes=2, operations=("skip_connect", "max_pool_3x3", "sep_conv_3x3"))
objective = SupernetObjective(space, "digits", settings="digits", seed=0)

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=8)

best = study.best_trial
print(f"trial {best.number}: loss {best.value:.3f}, accuracy {best.user_attrs['accuracy']:.3f}")
print(Genotype.from_text(best.user_attrs["genotype"]))
