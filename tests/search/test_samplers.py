"""The samplers of a search by name: what they get, and what is refused in one line."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.samplers.seated_sampler import SeatedSampler
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.samplers import check_same_sampler, sampler_named
from relativenas_optuna.spaces import CellSpace, registry
from tests.helpers.tiny_search import SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relativenas_optuna.samplers.seats.sampler import PopulationSampler

OWN = """
import optuna
from tests.helpers.samplers.random_members import RandomMembersSampler

made = []

class Plain(optuna.samplers.RandomSampler):
    def __init__(self):
        made.append({})
        super().__init__(0)

class Given(optuna.samplers.RandomSampler):
    def __init__(self, search_space, *, seed=None, temperature=1.0):
        made.append({"search_space": search_space, "seed": seed})
        super().__init__(seed)

class Needs(optuna.samplers.RandomSampler):
    def __init__(self, temperature, seed=None):
        super().__init__(seed)

class Broken(optuna.samplers.RandomSampler):
    def __init__(self, seed=None):
        raise RuntimeError("no\\nlicence")

class Members(RandomMembersSampler):
    def __init__(self, search_space=None, population_size=None, seed=None):
        super().__init__(search_space, population_size, seed)

class Sizeless(RandomMembersSampler):
    def __init__(self, search_space=None, seed=None):
        super().__init__(search_space, 4, seed)

number = 5
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Write a module of the user into the current folder, and return it when it is imported."""
    (tmp_path / "own_samplers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield lambda: sys.modules["own_samplers"]
    sys.modules.pop("own_samplers", None)


def named(name: str, space: Any = None, *, generations: int = 4) -> PopulationSampler:
    space = SPACE.distributions if space is None else space
    return sampler_named(name, space, population=8, generations=generations, seed=7)


def refused(name: str, space: Any = None, *, generations: int = 4) -> str:
    with pytest.raises(SearchError) as caught:
        named(name, space, generations=generations)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def length(trial: optuna.Trial) -> float:
    return float(len(str(SPACE.suggest(trial))))


def first_trial(sampler: PopulationSampler) -> optuna.trial.FrozenTrial:
    study = optuna.create_study(sampler=sampler)
    study.optimize(length, n_trials=1)
    return study.trials[0]


@pytest.mark.parametrize(("name", "preset"), [("relativenas", "paper"), ("random", "random")])
def test_our_names_are_presets_of_our_sampler(name: str, preset: str) -> None:
    ours = RelativeNASSampler(SPACE.distributions, population_size=8, seed=7, preset=preset)
    found = named(name)
    assert type(found) is RelativeNASSampler
    assert first_trial(found).system_attrs.keys() == first_trial(ours).system_attrs.keys()
    assert first_trial(found).params == first_trial(ours).params


def test_migo_searches_in_sweeps_of_the_population() -> None:
    found = named("migo")
    assert type(found) is MIGOSampler
    study = optuna.create_study(sampler=found)
    study.ask(dict(SPACE.distributions))
    population = found.population(study)
    assert population is not None
    assert (population.settings.population_size, population.settings.seed) == (8, 7)


@pytest.mark.parametrize(
    ("choices", "asked", "population"),
    [(4, None, 8), (8, None, 8), (9, None, 9), (9, 24, 24), (9, 9, 9)],
)
def test_the_population_of_migo_has_room_for_every_choice(
    choices: int, asked: int | None, population: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = ("skip_connect", "max_pool_3x3", *(f"sep_conv_{n}x{n}" for n in range(3, 99, 2)))
    wide = CellSpace(nodes=1, operations=operations[:choices])
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))
    registry.register_space("wide", wide)
    settings = {} if asked is None else {"population": asked}
    request = SearchRequest(space="wide", sampler="migo", settings=settings)
    study = optuna.create_study()
    assert SearchPlan.of(study, request).settings.population == population
    small = replace(request, settings={"population": choices - 1})
    with pytest.raises(SearchError, match=f"population must be at least {choices} with") as caught:
        SearchPlan.of(study, small)
    assert "\n" not in str(caught.value)


def test_optunas_samplers_propose_for_seats() -> None:
    found = named("optuna.samplers:TPESampler")
    assert isinstance(found, SeatedSampler)
    one, other = first_trial(found), first_trial(named("optuna.samplers:TPESampler"))
    assert one.params == other.params  # by the seed
    assert SPACE.contains(SPACE.genotype(one.params))


def test_regularized_evolution_mutates_the_best_of_ten_trials() -> None:
    found = named("regularized-evolution")
    assert isinstance(found, SeatedSampler)
    study = optuna.create_study(sampler=found)
    study.optimize(length, n_trials=20)
    latest = [trial.params.items() for trial in study.trials[9:19]]
    child = study.trials[19].params.items()
    assert min(len(child - parent) for parent in latest) == 1
    restarted = optuna.create_study(sampler=named("regularized-evolution"))
    for stop in (7, 20):
        restarted.sampler = named("regularized-evolution")
        restarted.optimize(length, n_trials=stop - len(restarted.trials))
    assert [t.params for t in restarted.trials] == [t.params for t in study.trials]


def test_an_own_class_gets_the_arguments_that_it_takes(own: Any) -> None:
    first_trial(named("own_samplers:Given"))
    first_trial(named("own_samplers:Plain"))
    # One object for all trials: a class of the user may keep its state in memory.
    assert own().made == [{"search_space": SPACE.distributions, "seed": 7}, {}]


def test_an_own_population_sampler_has_its_own_seats(own: Any) -> None:
    found = named("own_samplers:Members")
    assert type(found).__name__ == "Members"
    study = optuna.create_study(sampler=found)
    study.ask(dict(SPACE.distributions))
    population = found.population(study)
    assert population is not None
    assert (population.settings.population_size, population.settings.seed) == (8, 7)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "tpe",
            "sampler must be one of relativenas, migo, regularized-evolution, random, or MODULE:",
        ),
        ("missing_module:A", "module 'missing_module' of sampler 'missing_module:A' cannot be im"),
        ("optuna.samplers:Missing", "must be a sampler class of Optuna; got no such attribute"),
        ("optuna:Study", "must be a sampler class of Optuna; got class Study"),
        ("own_samplers:number", "must be a sampler class of Optuna; got int"),
        ("own_samplers:Needs", "needs the argument temperature, but a search gives only search_"),
        ("own_samplers:Broken", "cannot be made, RuntimeError: no licence"),
        ("own_samplers:Sizeless", "must take the argument population_size"),
        ("optuna.samplers:PartialFixedSampler", "needs the argument fixed_params"),
        ("optuna.samplers:BaseSampler", "cannot be made, TypeError: Can't instantiate abstract"),
        ("optuna.samplers:CmaEsSampler", "cannot search this space, because it draws categories"),
        ("optuna.samplers:QMCSampler", "cannot search this space, because it draws categories"),
        ("optuna.samplers:GridSampler", "because it lists the whole search space"),
        ("optuna.samplers:BruteForceSampler", "because it lists the whole search space"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_sampler_that_cannot_search_is_refused_in_one_line(name: str, message: str) -> None:
    assert message in refused(name)


def test_a_sampler_of_numbers_searches_a_space_of_numbers() -> None:
    numbers = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}
    assert isinstance(named("optuna.samplers:CmaEsSampler", numbers), SeatedSampler)
    mixed = numbers | {"z": CategoricalDistribution((1, 2))}
    assert "draws categories at random" in refused("optuna.samplers:CmaEsSampler", mixed)


def test_a_search_that_ends_before_its_sampler_learns_is_refused() -> None:
    line = refused("optuna.samplers:TPESampler", generations=1)
    assert "draws its first 10 trials at random, and this search has only 8" in line
    named("optuna.samplers:TPESampler", generations=2)


def test_a_plan_keeps_its_sampler() -> None:
    study = optuna.create_study(study_name="s")
    name = "optuna.samplers:TPESampler"
    plan = SearchPlan.of(study, SearchRequest(sampler=name))
    plan.store(study)
    for same in (None, name):
        assert SearchPlan.of(study, SearchRequest(sampler=same)).sampler == name
    with pytest.raises(SearchError, match="sampler 'relativenas' does not fit study 's', which"):
        SearchPlan.of(study, SearchRequest(sampler="relativenas"))
    assert SearchPlan.of(optuna.create_study(), SearchRequest()).sampler == "relativenas"


def test_an_unknown_sampler_is_refused_before_anything_is_stored() -> None:
    study = optuna.create_study()
    with pytest.raises(SearchError, match="sampler must be one of"):
        SearchPlan.of(study, SearchRequest(sampler="tpe"))


def test_trials_of_another_sampler_are_named() -> None:
    study = optuna.create_study(study_name="s", sampler=named("optuna.samplers:TPESampler"))
    check_same_sampler(study, named("relativenas"), "relativenas")
    study.ask(dict(SPACE.distributions))
    check_same_sampler(study, named("optuna.samplers:TPESampler"), "optuna.samplers:TPESampler")
    with pytest.raises(SearchError, match="'s', which TPESampler started: give that") as caught:
        check_same_sampler(study, named("relativenas"), "relativenas")
    assert "\n" not in str(caught.value)
