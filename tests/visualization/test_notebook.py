"""Notebooks show architectures, views and results as pictures and tables."""

from typing import Any
from xml.etree import ElementTree

import optuna
import pytest
from IPython.core.formatters import DisplayFormatter

from relativenas_optuna.samplers import MIGOSampler, RelativeNASSampler, SearchView
from relativenas_optuna.search import Choice, Finalist
from relativenas_optuna.spaces import CellSpace, Genotype, published
from relativenas_optuna.spaces.space_genotype import AnyGenotype, SpaceGenotype

SPACE = CellSpace(nodes=1)
SVG = "{http://www.w3.org/2000/svg}svg"


def displayed(value: object, kind: str) -> ElementTree.Element:
    """Return what a notebook shows of a value, parsed: it is well-formed or the test fails."""
    bundle: dict[str, Any] = DisplayFormatter().format(value)[0]  # type: ignore[no-untyped-call]
    return ElementTree.fromstring(f"<div>{bundle[kind]}</div>")


def table(shown: ElementTree.Element) -> dict[str, str]:
    rows = shown.findall("table/tr")
    return {row.findtext("th", ""): row.findtext("td", "") for row in rows}


def searched(name: str, genotype: object = None, n_trials: int = 12) -> optuna.Study:
    """Return a study of cells whose trials are scored by their number."""

    def objective(trial: optuna.Trial) -> float:
        for parameter, distribution in SPACE.distributions.items():
            trial._suggest(parameter, distribution)
        text = SPACE.genotype(trial.params).to_text() if genotype is None else genotype
        trial.set_user_attr("genotype", text)
        return float(trial.number)

    sampler = RelativeNASSampler(SPACE.distributions, population_size=4, preset="paper", seed=0)
    study = optuna.create_study(study_name=name, sampler=sampler)
    study.optimize(objective, n_trials=n_trials)
    return study


def finalist(genotype: AnyGenotype, **more: Any) -> Finalist:
    given: dict[str, Any] = {"trial": 3, "search_loss": 1.0, "loss": 0.5, "accuracy": 0.75}
    return Finalist(genotype=genotype, **given | more)


def test_a_genotype_is_drawn_with_both_cells() -> None:
    shown = displayed(published("RelativeNAS"), "image/svg+xml")
    (svg,) = shown
    assert svg.tag == SVG
    assert {"Normal cell", "Reduction cell"} <= set(svg.itertext())


def test_a_view_shows_its_facts_and_the_cells_of_the_newest_best() -> None:
    study = searched("<b>mine</b> & yours")
    view = SearchView.of(study)
    shown = displayed(view, "text/html")
    facts = table(shown)
    assert facts["study"] == "<b>mine</b> & yours"
    assert facts["sampler"] == "RelativeNASSampler, paper"
    assert facts["complete generations"] == "3"
    assert facts["seats"] == "12 scored, 0 running, 0 failed"
    # Scores rise with the number of the trial, so the best of the last generation is its first.
    assert facts["best of generation 2"] == "trial 8: 8"
    (svg,) = shown.findall(SVG)
    assert "Trial 8, best of generation 2" in set(svg.itertext())


@pytest.mark.parametrize("junk", [7, "normal: nothing", "", "<script>", "a\x00b"])
def test_an_attribute_that_is_no_pair_of_cells_is_shown_as_text_or_not_at_all(junk: object) -> None:
    shown = displayed(SearchView.of(searched("s", junk)), "text/html")
    assert not shown.findall(SVG)
    assert not list(shown.iter("script"))
    if (text := shown.find("pre")) is not None:
        assert text.text == junk
    else:
        assert "its parameters" in table(shown)


def test_a_view_without_architectures_or_scores_is_a_table() -> None:
    study = optuna.create_study(sampler=MIGOSampler(population_size=4, seed=0))
    study.ask()
    started = table(displayed(SearchView.of(study), "text/html"))
    assert started["seats"] == "0 scored, 1 running, 0 failed"
    assert not any(name.startswith("best") for name in started)
    study.optimize(lambda trial: trial.suggest_int("x", 0, 3), n_trials=4)
    facts = table(displayed(SearchView.of(study), "text/html"))
    assert facts["sampler"] == "MIGOSampler"
    assert facts["its parameters"].startswith("x = ")


def test_a_result_shows_all_finalists_and_the_cells_of_the_winner() -> None:
    cells = published("DARTS_V2")
    choice = Choice(
        finalists=(finalist(cells), finalist(cells, trial=None, chosen_by="prediction")),
        random_accuracies=(0.5,),
        generations=2,
    )
    shown = displayed(choice, "text/html")
    assert table(shown) == {
        "1. trial 3": "loss 0.5000, accuracy 75.00 %",
        "2. predicted architecture": "loss 0.5000, accuracy 75.00 %",
    }
    (svg,) = shown.findall(SVG)
    assert "Result of the search: trial 3" in set(svg.itertext())


def test_a_result_of_another_space_shows_the_text_of_the_winner() -> None:
    winner = finalist(SpaceGenotype("my_module:SPACE", "depth <3> & wide"))
    choice = Choice(finalists=(winner,), random_accuracies=(0.5,), generations=2, space="x")
    shown = displayed(choice, "text/html")
    assert shown.findtext("pre") == "depth <3> & wide"
    assert not shown.findall(SVG)


def test_pictures_are_equal_each_time_and_change_neither_text_nor_equality() -> None:
    genotype = published("RelativeNAS")
    again = Genotype.from_text(str(genotype))
    assert genotype == again
    assert genotype._repr_svg_() == again._repr_svg_()
