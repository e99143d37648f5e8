"""Measure how well shared-weight scores predict the scores of stand-alone training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from torch.nn import functional

from relativenas_optuna._utils.checked_fields import Range, check_value
from relativenas_optuna.evaluation.fidelity.record import MOST, Architecture, Fidelity, Score
from relativenas_optuna.evaluation.fidelity.train_standalone import (
    architecture_seed,
    initial_network,
    train_standalone,
)
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.settings import check_seed

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.loop import Evaluation
    from relativenas_optuna.training.metrics import Loss, Metric

A = TypeVar("A", bound=Hashable)

_DRAWS = 10_000  # draws without a new architecture after which the space counts as exhausted


def measure(
    study: optuna.Study,
    objective: SupernetObjective[Any],
    *,
    sample: int = 30,
    epochs: int = 10,
    seed: int = 0,
    anew: bool = False,
    loss: Loss = functional.cross_entropy,
    metric: Metric | None = None,
    on_scored: Callable[[Architecture], None] = lambda _: None,
) -> Fidelity:
    """Score a sample of architectures with shared weights and after stand-alone training.

    Half of the sample comes from the trials of the study, and half is drawn at random. Each
    architecture is trained from initial weights of its own, with the settings of the search, on
    the training images, and is scored on the validation images. The scores are stored in the
    study after each architecture. So a call that was interrupted continues when it is repeated,
    and a call with a larger sample measures only the new architectures. If the shared weights have
    changed in between, only the shared scores are measured again.

    Args:
        study: Study whose trials the objective has scored.
        objective: Objective with the weights of the search.
        sample: Number of architectures, 2 to 100.
        epochs: Number of epochs of the stand-alone training, at least 1.
        seed: Seed of the sample, the stand-alone training and the intervals, 0 to 2**32 - 1.
        anew: True to discard the scores that the study holds.
        loss: Loss of the objective.
        metric: Metric of the objective.
        on_scored: Function that is called with each architecture once it has both scores.

    Returns:
        The scores of `sample` architectures, as stored in the study.

    Raises:
        SearchError: The study has no scores for this search space, the sample is larger than the
            space, or the study has scores with another seed or number of epochs.
        ValueError: An argument is out of range.
    """
    check_seed(seed)
    check_value("sample", Annotated[int, Range(2, MOST)], sample)
    check_value("epochs", Annotated[int, Range(1)], epochs)
    space: Any = objective.space
    trials = _scored_trials(study, space)
    stored = None if anew else Fidelity.stored_in(study)
    _check_same(stored, study, epochs=epochs, seed=seed)
    known = () if stored is None else stored.sample
    drawn = _sample(space, trials, count=sample, seed=seed, known=known)
    weights, drawn = _with_shared(drawn, objective, of=None if stored is None else stored.weights)
    fidelity = Fidelity(epochs=epochs, seed=seed, weights=weights, sample=drawn)
    fidelity.store(study)
    for architecture in fidelity.sample[:sample]:
        found = architecture
        if found.standalone is None:
            own = architecture_seed(seed, found.text)
            score = train_standalone(
                initial_network(objective.supernet, space.parse(found.text), seed=own),
                objective.training,
                objective.validation,
                settings=objective.settings,
                epochs=epochs,
                seed=own,
                loss=loss,
                metric=metric,
            )
            found = replace(found, standalone=_score(score))
            fidelity = fidelity.with_scores(found)
            fidelity.store(study)
        on_scored(found)
    return replace(fidelity, sample=fidelity.sample[:sample])


def _with_shared(
    sample: Sequence[Architecture], objective: SupernetObjective[Any], *, of: int | None
) -> tuple[int, tuple[Architecture, ...]]:
    """Return the number of commits of the shared weights, and the sample with shared scores.

    A score is kept if `of`, the number of commits when it was measured, has not changed. If a
    search commits in the meantime, the number is that of the first score.
    """

    def scored(architecture: Architecture) -> Architecture:
        genotype = space.parse(architecture.text)
        return replace(architecture, shared=_score(objective.evaluate(genotype)))

    space: Any = objective.space
    first = scored(sample[0])
    weights = objective.weights.version  # `evaluate` has just loaded the newest weights
    rest = (a if a.shared and weights == of else scored(a) for a in sample[1:])
    return weights, (first, *rest)


def _sample(
    space: Space[A],
    trials: Mapping[A, FrozenTrial],
    *,
    count: int,
    seed: int,
    known: Sequence[Architecture],
) -> tuple[Architecture, ...]:
    """Return at least `count` distinct architectures, with the known ones first.

    Every second one is drawn at random, so the first architectures are a sample as well. The same
    trials give the same sample, drawn at once or in several calls.
    """
    size = _size(space)
    if count > size:
        raise SearchError(
            f"sample must be at most {size}, the number of architectures in the space; got {count}"
        )
    taken = {space.parse(architecture.text) for architecture in known}
    found = list(known)
    order = np.random.default_rng([seed, 0]).permutation(len(trials))
    tried = list(trials)
    of_trials = (tried[number] for number in order if tried[number] not in taken)
    rng = np.random.default_rng([seed, 1])
    of_space = (space.random(rng) for _ in itertools.count())
    while len(found) < count:
        drawn = len(found) % 2 == 1
        genotype = None if drawn else next((g for g in of_trials if g not in taken), None)
        if genotype is None:
            drawn = True
            draws = itertools.islice(of_space, _DRAWS)
            genotype = next((g for g in draws if g not in taken), None)
        if genotype is None:
            raise SearchError(
                f"sample must be at most {len(found)}: {_DRAWS} random draws found no other "
                f"architecture; got {count}"
            )
        taken.add(genotype)
        trial = trials.get(genotype)
        found.append(
            Architecture(
                text=space.text(genotype),
                trial=None if trial is None else trial.number,
                drawn=drawn,
                searched=None if trial is None else trial.values[0],
            )
        )
    return tuple(found)


def _scored_trials(study: optuna.Study, space: Space[A]) -> dict[A, FrozenTrial]:
    """Return the last trial of each architecture that a supernet objective has scored."""
    name = study.study_name
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    found: dict[A, FrozenTrial] = {}
    for trial in complete:
        text = trial.user_attrs.get("genotype")
        if not isinstance(text, str) or not math.isfinite(trial.values[0]):
            continue
        try:
            found[space.parse(text)] = trial
        except ValueError as error:
            raise SearchError(
                f"study {name!r} has trials of another search space (trial {trial.number}: "
                f"{' '.join(str(error).split())}): name another --study"
            ) from error
    if not found:
        has = "only other trials" if complete else "no scores"
        raise SearchError(
            f"study {name!r} has no architecture that a supernet scored, it has {has}: run the "
            f"search first, or name another --study"
        )
    return found


def _check_same(stored: Fidelity | None, study: optuna.Study, **asked: int) -> None:
    for name, value in asked.items():
        if stored is not None and getattr(stored, name) != value:
            raise SearchError(
                f"study {study.study_name!r} was measured with {name} {getattr(stored, name)}, got "
                f"{value}: use {getattr(stored, name)} to continue, or measure it --anew"
            )


def _size(space: Space[Any]) -> float:
    """Return an upper bound on the number of architectures in a space; inf if continuous."""
    sizes = []
    for distribution in space.distributions.values():
        match distribution:
            case CategoricalDistribution(choices=choices):
                sizes.append(len(choices))
            case IntDistribution(low=low, high=high, step=step):
                sizes.append((high - low) // step + 1)
            case FloatDistribution(low=low, high=high, step=step):
                continuous = step is None and low < high
                if continuous:
                    return math.inf
                sizes.append(1 if step is None else round((high - low) / step) + 1)
            case _:
                return math.inf
    return math.prod(sizes)


def _score(evaluation: Evaluation) -> Score:
    return Score(value=evaluation.score, accuracy=evaluation.accuracy)
