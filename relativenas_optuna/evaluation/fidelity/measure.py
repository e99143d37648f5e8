"""Is the shared score worth anything? Shared-weight scores beside scores of training alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from torch.nn import functional

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

_DRAWS = 10_000  # of architectures that are there already, until no other is believed to exist


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
    """Score a sample of architectures with the shared weights, and trained alone; store both.

    Half of the sample come from the study's trials, whichever they are, and half are drawn at
    random. Each is trained from first weights of its own for some epochs, with the settings of the
    search, on the training images, and scored on the validation images. What was done is in the
    study after each of them, so that the same call goes on after it was ended by anything; with
    more architectures it goes on with a larger sample. With other shared weights than then only
    their scores are taken again.

    Args:
        study: Whose trials the objective has scored.
        objective: With the weights of the search.
        sample: Number of architectures, 2 to 100.
        epochs: At least 1.
        seed: Of the sample, of the training alone, and of the intervals; from 0 to 2**32 - 1.
        anew: Whether to forget what was measured before.
        loss: That of the objective.
        metric: That of the objective.
        on_scored: Called with each architecture that has both scores.

    Returns:
        What is stored too, of as many architectures as asked for.

    Raises:
        SearchError: The study has no scores of this search space, the sample is larger than the
            space, or the study has a measurement with another seed or number of epochs.
        ValueError: An argument is out of range.
    """
    check_seed(seed)
    _check("sample", sample, 2, MOST)
    _check("epochs", epochs, 1, None)
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
        if found.alone is None:
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
            found = replace(found, alone=_score(score))
            fidelity = fidelity.with_scores(found)
            fidelity.store(study)
        on_scored(found)
    return replace(fidelity, sample=fidelity.sample[:sample])


def _with_shared(
    sample: Sequence[Architecture], objective: SupernetObjective[Any], *, of: int | None
) -> tuple[int, tuple[Architecture, ...]]:
    """The number of commits behind the weights, and all with their scores, which need no training.

    Those that have one keep it where it is of the same number of commits. Where a search goes on
    meanwhile, the number is that of the first.
    """

    def scored(architecture: Architecture) -> Architecture:
        genotype = space.parse(architecture.text)
        return replace(architecture, shared=_score(objective.evaluate(genotype)))

    space: Any = objective.space
    first = scored(sample[0])
    weights = objective.weights.version  # now, for the objective took the newest just then
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
    """At least `count` distinct architectures, those that are known first.

    Every second one is drawn at random, so that any first part of them is a sample too. The same
    trials give the same sample, whether it is drawn at once or in parts.
    """
    size = _size(space)
    if count > size:
        raise SearchError(
            f"sample must be at most {size}, for the space has no more architectures; got {count}"
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
                f"sample must be at most {len(found)}, for no other architecture was found in "
                f"{_DRAWS} draws; got {count}"
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
    """The last trial of each architecture that a supernet objective has scored."""
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
                f"study {name!r} holds trials of another search space (trial {trial.number}: "
                f"{' '.join(str(error).split())}): take another --study"
            ) from error
    if not found:
        has = "holds only other trials" if complete else "has no scores"
        raise SearchError(
            f"study {name!r} has no architecture that a supernet scored, it {has}: search it "
            f"first, or name another --study"
        )
    return found


def _check_same(stored: Fidelity | None, study: optuna.Study, **asked: int) -> None:
    for name, value in asked.items():
        if stored is not None and getattr(stored, name) != value:
            raise SearchError(
                f"study {study.study_name!r} was measured with {name} {getattr(stored, name)}, "
                f"which does not go together with {value}: take the former to go on, or measure it "
                f"--anew"
            )


def _check(name: str, value: object, low: int, high: int | None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and low <= value and (high is None or value <= high)):  # type: ignore[operator]
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be a whole number {limits}; got {value!r}")


def _size(space: Space[Any]) -> float:
    """How many architectures a space has at most."""
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
