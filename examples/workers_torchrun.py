"""Help a search with two workers that torchrun starts, each on its own GPU if there are GPUs.

For several machines use `torchrun --nnodes ...`, Slurm's `srun` or Kubernetes. Every worker needs
the database of the study and the folder of the search. Workers may start and stop at any time.
"""

import json
import subprocess
import sys
from pathlib import Path

import optuna

from relativenas_optuna import open_storage

STORAGE = "sqlite:///study.db"
STUDY = ["--storage", STORAGE, "--study", "torchrun"]
BIN = Path(sys.executable).parent
WORKERS = ["--standalone", "--nproc-per-node", "2", "--no-python"]

# The search is a worker too; it chooses the best architecture when all candidates are scored.
SHORT = ["--population", "4", "--generations", "2", "--finals", "0"]
search = subprocess.Popen([BIN / "relativenas", "search", *STUDY, *SHORT])
subprocess.run([BIN / "torchrun", *WORKERS, BIN / "relativenas", "worker", *STUDY], check=True)
assert search.wait() == 0

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.load_study(study_name="torchrun", storage=open_storage(STORAGE))
claims = [json.loads(trial.system_attrs["population:claim"]) for trial in study.trials]
workers = {claim["worker"]["pid"] for claim in claims}
print(f"{len(study.trials)} trials by {len(workers)} workers")
