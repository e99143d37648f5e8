"""Two workers that torchrun starts help a search, each with a GPU of its own where there are any.

On several machines `torchrun --nnodes ...`, Slurm's `srun` or Kubernetes do the same: every worker
needs the study's database and the search's folder, and may come and go.
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

# The search itself is a worker too; it chooses the winner when all is scored.
search = subprocess.Popen(
    [BIN / "relativenas", "search", *STUDY, "--population", "4", "--generations", "2"]
)
subprocess.run([BIN / "torchrun", *WORKERS, BIN / "relativenas", "worker", *STUDY], check=True)
assert search.wait() == 0

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.load_study(study_name="torchrun", storage=open_storage(STORAGE))
claims = [json.loads(trial.system_attrs["population:claim"]) for trial in study.trials]
workers = {claim["worker"]["pid"] for claim in claims}
stale = [trial.user_attrs.get("stale_commits", 0) for trial in study.trials]
print(f"{len(study.trials)} trials by {len(workers)} workers")
print(f"commits of others between the begin of a pair and its own: {stale}")
