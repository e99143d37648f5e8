"""Output of the winner of a search, and of the architectures that it was compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.cli.terminal import print_line
from relativenas_optuna.search.defaults import MIGO
from relativenas_optuna.search.finals.table import finals_headings, finals_rows, target_text
from relativenas_optuna.spaces.names import network_size

if TYPE_CHECKING:
    from rich.console import Console

    from relativenas_optuna.search.choice import Choice


def print_choice(console: Console, choice: Choice, of: str) -> None:
    """Print the winner of a search, and the architectures that it was compared with.

    Args:
        console: Console of results.
        choice: Result of the search.
        of: Group of candidates that the finalists are from, such as "the last generation".
    """
    if choice.finals is not None:
        _print_finals(console, choice)
        return
    print_line(console, f"\nthe best of {of}, scored again with the final shared weights")
    for rank, finalist in enumerate(choice.finalists, start=1):
        loss = finalist.search_loss
        in_search = "not drawn in search" if loss is None else f"loss {loss:.4f} in search"
        print_line(console, f"  {rank}. {finalist}; {in_search}")
    winner, others = choice.winner, choice.finalists[1:]
    if others:
        ahead = others[0].loss - winner.loss
        points = 100 * (winner.accuracy - others[0].accuracy)
        if winner.most_likely:
            won = f"is the result of sampler {MIGO}; compared with {others[0].name} its loss is "
            won += f"{-ahead:+.4f} and its accuracy {points:+.2f} points"
        else:
            won = f"won, by {ahead:.4f} in loss and {points:+.2f} points of accuracy over "
            won += others[0].name
        print_line(console, f"{winner.name} {won}")
    print_line(
        console,
        f"its accuracy is {100 * winner.accuracy:.2f} %, that of "
        f"{len(choice.random_accuracies)} random architectures with the same weights has a "
        f"median of {100 * choice.random_accuracy:.2f} %",
    )


def _print_finals(console: Console, choice: Choice) -> None:
    settings = choice.finals
    assert settings is not None
    size = network_size(choice.space, cells=settings.cells, channels=settings.channels)
    print_line(
        console,
        f"\nthe finals: networks of {size}, each trained stand-alone",
    )
    table = [finals_headings(choice), *finals_rows(choice)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print_line(console, f"  {'  '.join(cells)}".rstrip(), whole=True)
    print_line(console, target_text(settings))
    winner = choice.winner
    print_line(
        console,
        f"{winner.name} won; its accuracy with the final shared weights is "
        f"{100 * winner.accuracy:.2f} %, that of {len(choice.random_accuracies)} random "
        f"architectures has a median of {100 * choice.random_accuracy:.2f} %",
    )
