"""The dashboard and the report of a search whose sampler has a distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
import pytest

from relativenas_optuna import MIGOSampler
from relativenas_optuna.dashboard import DashboardReporter
from relativenas_optuna.dashboard.html_report.page import page_of
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.populations import population_in
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.dashboard_shown import attributes, figures, note
from tests.helpers.visualization_studies import SPACE, score

if TYPE_CHECKING:
    from pathlib import Path

DISTRIBUTION = "relativenas-distribution"


def probabilities(figure: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Return the probabilities that a heat map shows, by variable and value."""
    (heat,) = figure["data"]
    return {
        (row, column): p
        for row, line in zip(heat["y"], heat["z"], strict=True)
        for column, p in zip(heat["x"], line, strict=True)
        if p is not None
    }


def newest(study: optuna.Study) -> dict[tuple[str, str], float]:
    """Return the probabilities from which the newest generation is drawn."""
    population = population_in(study)
    assert isinstance(population, DistributionPopulation)
    return {
        (marginal.name, str(value)): p
        for marginal in population.marginals(len(population.generations) - 1)
        for value, p in zip(marginal.values, marginal.probabilities, strict=True)
    }


@pytest.mark.slow
def test_one_heat_map_is_overwritten_after_each_sweep(tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'study.db'}", heartbeat_interval=None) as storage:
        sampler = MIGOSampler(SPACE.distributions, population_size=8, seed=0)
        study = optuna.create_study(sampler=sampler, storage=storage)
        seen = []
        for sweep in range(1, 4):
            study.optimize(score, n_trials=8)
            DashboardReporter(tmp_path / "drawings", warn=pytest.fail).write(study)
            shown = figures(study)
            assert probabilities(shown[DISTRIBUTION]) == pytest.approx(newest(study), abs=1e-4)
            assert len(shown["relativenas-entropy"]["data"][1]["x"]) == sweep + 1
            seen.append(shown[DISTRIBUTION])
        assert seen[0]["data"] != seen[1]["data"] != seen[2]["data"]
        plots = [key for key in attributes(study) if DISTRIBUTION in key]
        assert len({key.rsplit(":", 1)[0] for key in plots}) == 1
        assert "3 generations are complete" in note(study)
        page = page_of(study, storage="", made_by="", top=3)
        assert f'id="{DISTRIBUTION}"' in page
        assert 'id="relativenas-entropy"' in page
        assert "relativenas-fast-learners" not in page
