"""Search the operations of a small network with the sampler from OptunaHub."""

from __future__ import annotations

import optuna
import optunahub

OPERATIONS = ["identity", "3x3 convolution", "5x5 convolution", "3x3 pooling"]


def objective(trial: optuna.Trial) -> float:
    """Return the number of layers that differ from the best network."""
    layers = [trial.suggest_categorical(f"layer {i}", OPERATIONS) for i in range(6)]
    return float(sum(layer != OPERATIONS[i % 4] for i, layer in enumerate(layers)))


if __name__ == "__main__":
    module = optunahub.load_module(package="samplers/migo")
    # Fair sampling is for objectives that train shared weights; this one does not.
    sampler = module.MIGOSampler(population_size=12, fair_sampling=False, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=120)
    print(study.best_trial.value, study.best_trial.params)
