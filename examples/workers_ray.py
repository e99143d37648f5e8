"""Score one study with two Ray tasks, which share one set of weights in a common folder.

    pip install ray

Ray runs the tasks on any machines of its cluster; `num_gpus=1` gives each task a GPU.
"""

import tempfile

import optuna
import ray

from relativenas_optuna import CellSpace, RelativeNASSampler, SupernetObjective, open_storage
from relativenas_optuna.search import score_seats

GENERATIONS, POPULATION = 2, 4
SPACE = CellSpace(nodes=1)


@ray.remote(num_cpus=1)
def work(url: str, folder: str) -> int:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = RelativeNASSampler(
        SPACE.distributions, population_size=POPULATION, seed=0, preset="paper"
    )
    study = optuna.load_study(study_name="ray", storage=open_storage(url), sampler=sampler)
    objective = SupernetObjective(SPACE, "digits", settings="digits", checkpoint=folder)
    scored: list[optuna.trial.FrozenTrial] = []
    score_seats(study, sampler, objective, generations=GENERATIONS, on_trial=scored.append)
    return len(scored)


with tempfile.TemporaryDirectory() as folder:
    url = f"sqlite:///{folder}/study.db"  # for several machines, use a database server
    study = optuna.create_study(study_name="ray", storage=open_storage(url))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    print("scored by each task:", ray.get([work.remote(url, folder) for _ in range(2)]))
    ray.shutdown()
    stale = [trial.user_attrs.get("stale_commits", 0) for trial in study.trials]
    print(f"best loss {study.best_value:.4f}; commits that came in between: {sum(stale)}")
