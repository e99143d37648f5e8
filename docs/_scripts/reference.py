"""Generate the pages of the reference from the package: its API, commands and settings."""

from __future__ import annotations

import dataclasses
import html
import inspect
import re
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import click
import griffe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PACKAGE = "relativenas_optuna"
_OPTION = re.compile(r"(?<![\w-])--\w[\w-]*")
PARTS = (
    *("spaces", "samplers", "networks", "objective", "search", "storages", "training"),
    *("evaluation", "visualization", "dashboard"),
)


def api_pages(root: Path) -> dict[str, str]:
    """Return the pages of the Python API by path.

    Raises:
        ValueError: A public name has no docstring; the message lists them.
    """
    package = griffe.load(PACKAGE, search_paths=[str(root)], resolve_aliases=True)
    pages = {f"reference/api/{part}.md": _part_page(package, part) for part in PARTS}
    errors = list(package["exceptions"].classes)
    pages["reference/api/exceptions.md"] = _page("exceptions", errors)
    face = import_module(PACKAGE)
    rows = ["| name | what it is |", "|---|---|"]
    for name in face.__all__:
        part = face._HOMES[name].split(".")[0]
        what = _summary(package[name].docstring)
        rows.append(f"| [`{name}`][{PACKAGE}.{part}.{name}] | {what} |")
    pages["reference/api/index.md"] = "\n".join(
        (
            "# Python API",
            "",
            f"These names are imported from `{PACKAGE}` itself. Each part of the package has more,",
            "which are imported from the part, as in `from relativenas_optuna.samplers import",
            "Seat`. Importing the package or a part does not load PyTorch.",
            "",
            *rows,
            "",
        )
    )
    undocumented = [
        f"{part}.{name}"
        for part in PARTS
        for name in import_module(f"{PACKAGE}.{part}").__all__
        if not package[part][name].has_docstring
    ]
    if undocumented:
        raise ValueError(f"public names without a docstring: {', '.join(undocumented)}")
    return pages


def _part_page(package: griffe.Object | griffe.Alias, part: str) -> str:
    face = import_module(f"{PACKAGE}.{part}")
    here = package[part]
    errors = [
        n for n in face.__all__ if here[n].canonical_path.startswith(f"{PACKAGE}.exceptions.")
    ]
    ours = [name for name in face.__all__ if name not in errors]
    main = import_module(PACKAGE).__all__
    ours.sort(key=lambda name: (name not in main, name.isupper(), name.endswith("Error")))
    links = ", ".join(f"[`{name}`][{PACKAGE}.exceptions.{name}]" for name in errors)
    return _page(part, ours) + (f"\nErrors: {links}.\n" if errors else "")


def _page(part: str, names: Iterable[str]) -> str:
    summary = (import_module(f"{PACKAGE}.{part}").__doc__ or "").split("\n\n", maxsplit=1)[0]
    objects = "\n".join(f"::: {PACKAGE}.{part}.{name}\n" for name in names)
    return f"# {part}\n\n`{PACKAGE}.{part}`: {summary}\n\n{objects}"


def _summary(docstring: griffe.Docstring | None) -> str:
    return "" if docstring is None else " ".join(docstring.value.split("\n\n")[0].split())


def command_line_page() -> str:
    """Return the page of the command `relativenas`, from the commands themselves."""
    from relativenas_optuna.cli.commands import SECTIONS, cli

    context = click.Context(cli, info_name="relativenas")
    lines = ["# Command line", "", _paragraphs(cli.help), ""]
    for heading, commands in SECTIONS.items():
        lines += ["", f"**{heading}**", "", "| command | what it does |", "|---|---|"]
        lines += [f"| [`{name}`](#{name}) | {summary} |" for name, _, summary in commands]
    lines += ["", *_listed(cli.epilog)]
    for commands in SECTIONS.values():
        for name, _, _ in commands:
            command = cli.get_command(context, name)
            assert command is not None
            lines += _command(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context) -> list[str]:
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = ["", f"## {context.info_name}", "", f"```text\n{usage}\n```", ""]
    arguments = any(isinstance(parameter, click.Argument) for parameter in command.params)
    heading = "argument or option" if arguments else "option"
    lines += [_paragraphs(command.help), "", f"| {heading} | meaning |", "|---|---|"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            option, text = (_cell(part) for part in record)
            lines.append(f"| <code>{option}</code> | {_options_as_code(text)} |")
    return [*lines, "", *_listed(command.epilog, level=3)]


def _paragraphs(text: str | None) -> str:
    """Return a help text, in which Click wraps paragraphs, as Markdown."""
    return _options_as_code(inspect.cleandoc(text or "").replace("\b\n", ""))


def _options_as_code(text: str) -> str:
    """Return Markdown whose options, such as --size, are code; code in it stays as it is."""
    parts = text.split("`")
    parts[::2] = (_OPTION.sub(r"`\g<0>`", part) for part in parts[::2])
    return "`".join(parts)


def _listed(epilog: str | None, level: int = 2) -> list[str]:
    """Return the lists of an epilog, each a heading and lines, as Markdown."""
    lines = []
    for part in (epilog or "").split("\n\n"):
        heading, *rest = part.removeprefix("\b\n").split("\n")
        title = heading.removesuffix(":")
        lines += [f"{'#' * level} {title}" if level == 2 else f"**{title}**", ""]
        lines += ["```text", *(line.removeprefix("  ") for line in rest), "```", ""]
    return lines


def settings_page() -> str:
    """Return the page of the settings of searches, finals and trainings, with all presets."""
    from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES, TASK_RECIPES
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.objective.settings import PRESETS, SearchSettings
    from relativenas_optuna.search.finals.settings import PRESET_FINALS, FinalsSettings
    from relativenas_optuna.search.limits import LimitRequest

    return "\n".join(
        (
            "# Settings, presets and recipes",
            "",
            "All tables are generated from the package. A field of `SearchSettings` is set in the",
            "table `[settings]` of a [study file](files.md#study-file), or in Python by",
            '`dataclasses.replace(preset("small"), channels=16)`. A field of a recipe is set by',
            "`relativenas train --set NAME=VALUE`, or in a [recipe file](files.md#recipe-file).",
            "",
            "## Search: `SearchSettings`",
            "",
            *_table(SearchSettings, PRESETS),
            "",
            "## Finals: `FinalsSettings`",
            "",
            'Preset "paper" has no finals. `relativenas search --finals N` sets `shortlist`, and',
            "`--for` sets `target`.",
            "",
            *_table(FinalsSettings, {name: one for name, one in PRESET_FINALS.items() if one}),
            "",
            "## Limits: `[limits]` of a study file",
            "",
            *_table(LimitRequest, {}),
            "",
            "## Stand-alone training: `Recipe`",
            "",
            *_table(Recipe, {}),
            "",
            "Recipes for classification:",
            "",
            *_values(Recipe, RECIPES),
            "",
            "Recipes for other tasks:",
            "",
            *_values(Recipe, TASK_RECIPES),
            "",
        )
    )


def _table(settings: type[Any], named: Mapping[str, Any]) -> list[str]:
    """Return the rows of a table: fields, allowed values, values by preset, descriptions."""
    sections = griffe.Docstring(inspect.getdoc(settings) or "").parse("google")
    (attributes,) = (one.value for one in sections if one.kind.value == "attributes")
    described = {attribute.name: attribute.description for attribute in attributes}
    hints = get_type_hints(settings, include_extras=True)
    heads = ["field", "allowed", *(f'"{name}"' for name in named), "meaning"]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for field in dataclasses.fields(settings):
        values = [_value(getattr(one, field.name)) for one in named.values()]
        cells = [f"`{field.name}`", _allowed(hints[field.name]), *values]
        rows.append(f"| {' | '.join(cells)} | {_cell(described[field.name])} |")
    return rows


def _values(settings: type[Any], named: Mapping[str, Any]) -> list[str]:
    """Return the rows of a table of the values of all fields by name."""
    heads = ["field", *(f'"{name}"' for name in named)]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for field in dataclasses.fields(settings):
        values = [_value(getattr(one, field.name)) for one in named.values()]
        rows.append(f"| {' | '.join([f'`{field.name}`', *values])} |")
    return rows


def _allowed(hint: Any) -> str:
    """Return the allowed values of a field with this type."""
    if get_origin(hint) is Annotated:
        kind, allowed = get_args(hint)[:2]
        if isinstance(allowed, tuple):
            return ", ".join(f'"{one}"' for one in allowed)
        return f"{kind.__name__}{allowed}"
    if get_args(hint):
        return " or ".join(_allowed(one) for one in get_args(hint))
    return "None" if hint is type(None) else str(hint.__name__)


def _value(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _cell(text: str) -> str:
    """Return a text for a cell of a Markdown table."""
    text = html.escape(re.sub(r"\s+", " ", text), quote=False)
    return text.replace("|", "&#124;").replace("[", "&#91;")
