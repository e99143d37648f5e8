"""Search one study with several processes, which score the same candidates as one process.

The processes share nothing but the database, and none waits for the slowest. Each trial claims a
seat of a generation; if no seat is free, it scores a new architecture outside of the generations.
"""

import multiprocessing
import os
import time

import optuna

from relativenas_optuna import RelativeNASSampler, open_storage
from relativenas_optuna.samplers import Seat, seat_of

SPACE = {f"x{number}": optuna.distributions.FloatDistribution(-1, 1) for number in range(4)}
STORAGE = "sqlite:///many_processes.db"
optuna.logging.set_verbosity(optuna.logging.WARNING)


def objective(trial: optuna.Trial) -> float:
    """Return a sum of squares after 50 ms, the time of a small training."""
    trial.set_user_attr("worker", os.getpid())
    time.sleep(0.05)
    return sum(trial.suggest_float(name, -1, 1) ** 2 for name in SPACE)


def work(name: str, trials: int) -> None:
    """Run some trials; every process does this, on this machine or on another one."""
    sampler = RelativeNASSampler(SPACE, population_size=32, seed=0)
    study = optuna.load_study(study_name=name, storage=open_storage(STORAGE), sampler=sampler)
    study.optimize(objective, n_trials=trials)


def search(name: str, workers: int, trials: int) -> dict[Seat | None, dict[str, float]]:
    """Search with some processes, and return the parameters that were scored at each seat."""
    study = optuna.create_study(study_name=name, storage=open_storage(STORAGE))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.starmap(work, [(name, trials // workers)] * workers, chunksize=1)
    seats = {seat_of(trial): trial.params for trial in study.trials}
    by = len({trial.user_attrs["worker"] for trial in study.trials})
    twice = len(study.trials) - len(seats)
    print(f"{len(seats)} seats by {by} process(es), {twice} twice: best {study.best_value:.4f}")
    return seats


if __name__ == "__main__":
    alone, together = search("alone", 1, 96), search("together", 4, 96)
    equal = [alone[seat] == together[seat] for seat in alone.keys() & together.keys()]
    print(f"{len(equal)} seats scored in both searches, with the same parameters: {all(equal)}")
