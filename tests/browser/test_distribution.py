"""A browser looks at the heat map of a distribution, which follows the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna import MIGOSampler
from relativenas_optuna.dashboard import DashboardReporter
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.storages.opening import storage_at
from tests.browser.test_dashboard import SCREENSHOTS, browser, dashboard, page

if TYPE_CHECKING:
    from pathlib import Path

SPACE = CellSpace(nodes=4)


def objective(trial: optuna.Trial) -> float:
    """Return a loss that is lower the more separable convolutions there are."""
    genotype = SPACE.suggest(trial)
    edges = (*genotype.normal.edges, *genotype.reduce.edges)
    cost = sum(edge.operation.startswith("sep") for edge in edges)
    trial.set_user_attr("parameters", cost)
    trial.set_constraint("parameters", cost / 16 - 1)
    return -float(cost)


@pytest.mark.slow
def test_a_browser_shows_the_distribution_and_its_changes(tmp_path: Path) -> None:
    program = browser()
    url = f"sqlite:///{tmp_path / 'study.db'}"
    SCREENSHOTS.mkdir(exist_ok=True)
    with storage_at(url) as storage:
        sampler = MIGOSampler(SPACE.distributions, population_size=14, seed=0)
        study = optuna.create_study(sampler=sampler, storage=storage)
        with dashboard(url, tmp_path) as address, page(program) as tab:
            for sweeps in (1, 8):
                study.optimize(objective, n_trials=14 * (sweeps - len(study.trials) // 14))
                DashboardReporter(tmp_path).write(study)
                tab.goto(address)
                heat_map = tab.locator('[id="user-defined-plot:relativenas-distribution"]')
                heat_map.locator(".heatmaplayer image").wait_for(state="attached")
                assert f"in generation {sweeps}" in (
                    heat_map.locator(".gtitle").text_content() or ""
                )
                assert heat_map.locator(".ytick text").count() == len(SPACE.distributions)
                assert heat_map.locator(".xtick text").count() == 5 + len(SPACE.operations)
                for name in ("entropy", "cost-limits"):
                    figure = tab.locator(f'[id="user-defined-plot:relativenas-{name}"]')
                    figure.locator(".scatterlayer .trace path").first.wait_for(state="attached")
            tab.screenshot(path=SCREENSHOTS / "distribution.png", full_page=True)
