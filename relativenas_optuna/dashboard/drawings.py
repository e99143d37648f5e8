"""Draw the two cells of the best architecture of a generation."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.artifacts import upload_artifact

from relativenas_optuna.search.study_facts import genotype_of
from relativenas_optuna.visualization.drawing._figure import draw_genotype
from relativenas_optuna.visualization.drawing._kinds import origins_of
from relativenas_optuna.visualization.drawing._save import save_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.artifacts._protocol import ArtifactStore
    from optuna.trial import FrozenTrial

    from relativenas_optuna.dashboard.staged_attributes import StagedAttributes
    from relativenas_optuna.samplers.view_records import GenerationView
    from relativenas_optuna.spaces.genotype import Genotype
    from relativenas_optuna.visualization.drawing._kinds import Origin

_DOTS_PER_INCH = 130  # 80 to 120 kB of a drawing, sharp where the dashboard shows it


def add_drawing(
    staged: StagedAttributes,
    store: ArtifactStore,
    generations: Sequence[GenerationView],
    index: int,
    trials: Sequence[FrozenTrial],
) -> bool:
    """Draw the best architecture of a generation, and attach the drawing to its trial.

    If the member was a slow learner in the generation before, the colours distinguish edges taken
    from the fast learner from edges that it kept. Otherwise the colours stand for the operations.

    Args:
        staged: Staged attributes of the study.
        store: Artifact store of the drawing.
        generations: All generations of the search.
        index: Index of the generation, from 0.
        trials: All trials of the study, in the order of their numbers.

    Returns:
        True if the trial has two cells to draw; False if nothing was drawn.

    Raises:
        Exception: The store cannot store the file.
    """
    generation = generations[index]
    assert generation.best is not None
    number = generation.members[generation.best].counted
    assert number is not None
    genotype = genotype_of(trials[number])
    if genotype is None:
        return False
    title = f"The best of generation {index}: trial {number}"
    origins = _origins(generations, index, genotype, trials)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"generation-{index}.png")
        save_figure(
            lambda: draw_genotype(genotype, title=title, origins=origins),
            path,
            dots_per_inch=_DOTS_PER_INCH,
        )
        try:
            upload_artifact(
                artifact_store=store,
                file_path=str(path),
                study_or_trial=trials[number],
                storage=staged.storage,
            )
        except BaseException:
            # Optuna writes the attribute before it stores the file.
            staged.remove_artifacts(trials[number]._trial_id)
            raise
    return True


def _origins(
    generations: Sequence[GenerationView],
    index: int,
    genotype: Genotype,
    trials: Sequence[FrozenTrial],
) -> tuple[Origin, ...] | None:
    if index == 0:
        return None
    before, member = generations[index - 1], generations[index].best
    pair = next((p for p in before.pairs if p.slow == member), None)
    if pair is None or pair.fast is None or pair.slow is None:
        return None
    numbers = [before.members[m].counted for m in (pair.slow, pair.fast)]
    own, fast = (None if n is None else genotype_of(trials[n]) for n in numbers)
    return None if own is None or fast is None else origins_of(genotype, own, fast)
