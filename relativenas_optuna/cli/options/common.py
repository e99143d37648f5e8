"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from relativenas_optuna._utils.durations import seconds_in
from relativenas_optuna.search.defaults import DEFAULT_STORAGE, DEFAULT_STUDY
from relativenas_optuna.spaces.names import BUILT_IN_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence


def named_study(value: str) -> str:
    """Return a study's name if it is valid.

    Raises:
        BadParameter: The name is empty.
    """
    if not value.strip():
        raise click.BadParameter(f"a study needs a name; got {value!r}")
    return value


def duration_value(value: str | None) -> float | None:
    """Return the seconds of an option's duration, see `seconds_in`; None stays None.

    Raises:
        BadParameter: The value is no duration.
    """
    try:
        return None if value is None else seconds_in(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


class DescribedArgument(click.Argument):
    """A positional argument with a description, which Click's own class has only since 8.5.

    Args:
        description: Description for the help and the reference.
    """

    def __init__(self, declarations: Sequence[str], *, description: str, **attributes: Any) -> None:
        super().__init__(declarations, **attributes)
        self.help = description

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the name of the argument and its description."""
        return self.human_readable_name, self.help or ""


STORAGE_VARIABLE = "RELATIVENAS_STORAGE"

architecture_argument = click.argument(
    "architecture",
    cls=DescribedArgument,
    required=False,
    metavar="[ARCHITECTURE]",
    description="A file with a genotype, or a published name. For another task it is the backbone; "
    "the name of a torchvision network, such as mobilenet_v2, is then a backbone too.  [default: "
    "the best architecture of the study]",
)
"""Argument of a command: a file, a published name, or nothing for the best of the study."""

storage_option = click.option(
    "--storage",
    metavar="URL",
    default=DEFAULT_STORAGE,
    show_default=True,
    envvar=STORAGE_VARIABLE,
    show_envvar=True,
    help="SQL database of the studies, as an SQLAlchemy URL.",
)
study_option = click.option(
    "--study",
    metavar="NAME",
    default=DEFAULT_STUDY,
    show_default=True,
    callback=lambda _context, _option, value: named_study(value),
    help="Name of the study.",
)


space_option = click.option(
    "--space",
    metavar="SPACE",
    help=f"Search space: {', '.join(BUILT_IN_NAMES)}, or MODULE:ATTRIBUTE of a custom space.  "
    "[default: that of the study or file, otherwise cells]",
)

weights_option = click.option(
    "--weights",
    metavar="PLACE",
    help="Folder or bucket for the weights: a path, s3://BUCKET[/PREFIX] or gs://BUCKET[/PREFIX]. "
    "A bucket's endpoint, keys and region come from the environment.  [default: as --out]",
)

device_option = click.option(
    "--device", metavar="NAME", help="Device: cpu, cuda, cuda:1 or mps.  [default: the best one]"
)


threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Number of CPU threads of each process.  [default: OMP_NUM_THREADS, otherwise that of the "
    "continued run, otherwise the fastest one, which is measured in a few seconds]",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one line of JSON."
)
