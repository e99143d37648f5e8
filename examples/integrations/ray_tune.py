"""Let Ray Tune run the trials: its OptunaSearch takes any sampler of Optuna.

pip install "ray[tune]"
"""

from pathlib import Path

import ray
from ray import tune
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from relativenas_optuna import RelativeNASSampler


def train(config: dict[str, float | str]) -> dict[str, float]:
    """Return a loss with its minimum at x = 2 and kind "b"."""
    penalty = {"a": 1.0, "b": 0.0, "c": 2.0}[str(config["kind"])]
    return {"loss": (float(config["x"]) - 2) ** 2 + penalty}


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
sampler = RelativeNASSampler(population_size=4, seed=0)
search = ConcurrencyLimiter(OptunaSearch(metric="loss", mode="min", sampler=sampler), 2)
tuner = tune.Tuner(
    train,
    param_space={"x": tune.uniform(-10, 10), "kind": tune.choice(["a", "b", "c"])},
    tune_config=tune.TuneConfig(search_alg=search, num_samples=10),
    run_config=tune.RunConfig(verbose=0, storage_path=str(Path("ray-results").absolute())),
)
results = tuner.fit()
best = results.get_best_result("loss", "min")
assert best.metrics
assert not results.errors
print(f"loss {best.metrics['loss']:.3f} in {len(results)} trials: {best.config}")
