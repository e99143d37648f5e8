"""The generated pages say what the package has, and their links lead to pages of the site."""

from __future__ import annotations

import dataclasses
import importlib
import json
import posixpath
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("mkdocs", reason="the site's packages are not installed")
pytest.importorskip("latex2mathml")
griffe = pytest.importorskip("griffe")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the modules of docs/_scripts by name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs/_scripts"))
    return SimpleNamespace(
        **{
            name: importlib.import_module(name)
            for name in ("diagrams", "hooks", "notebooks", "reference")
        }
    )


def test_the_command_line_page_lists_every_option(scripts: Any) -> None:
    import click

    from relativenas_optuna.cli.commands import cli

    page = scripts.reference.command_line_page()
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert f"\n## {name}\n" in page
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.opts[-1] in page
            elif isinstance(option, click.Argument):
                assert f"<code>{option.human_readable_name.replace('[', '&#91;')}</code>" in page
    assert "</code> |  |" not in page  # a meaning is missing
    assert "130, 143" in page  # exit status
    assert "settings,\nso `--study` is enough" in page
    assert "instead of `--generations`:" in page
    assert "RELATIVENAS_TRACEBACK" in page


def test_the_settings_page_has_the_values_of_every_preset(scripts: Any) -> None:
    from relativenas_optuna.objective.settings import PRESETS, SearchSettings

    lines = scripts.reference.settings_page().splitlines()
    for field in dataclasses.fields(SearchSettings):
        (row, *_) = (line for line in lines if line.startswith(f"| `{field.name}` |"))
        values = [getattr(settings, field.name) for settings in PRESETS.values()]
        shown = [f'"{value}"' if isinstance(value, str) else str(value) for value in values]
        assert [cell.strip() for cell in row.split("|")][3:6] == shown


def test_the_settings_page_has_the_values_of_every_recipe(scripts: Any) -> None:
    from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES, TASK_RECIPES

    lines = scripts.reference.settings_page().splitlines()
    epochs = [line for line in lines if line.startswith("| `epochs` |")]
    assert epochs[1:] == [
        f"| `epochs` | {' | '.join(str(recipe.epochs) for recipe in named.values())} |"
        for named in (RECIPES, TASK_RECIPES)
    ]


def test_the_page_of_a_part_begins_with_the_names_of_the_package(scripts: Any) -> None:
    page = scripts.reference.api_pages(ROOT)["reference/api/samplers.md"]
    first = [line.split(".")[-1] for line in page.splitlines() if line.startswith("::: ")][:4]
    assert first == ["MIGOSampler", "RelativeNASSampler", "SearchView", "trusted_trial"]


def test_a_public_name_without_a_docstring_stops_the_build(
    scripts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = griffe.load("relativenas_optuna", search_paths=[str(ROOT)], resolve_aliases=True)
    package["samplers.relative_nas.sampler.RelativeNASSampler"].docstring = None
    monkeypatch.setattr(griffe, "load", lambda *_, **__: package)
    with pytest.raises(ValueError, match=r"docstring: samplers\.RelativeNASSampler$"):
        scripts.reference.api_pages(ROOT)


@pytest.mark.parametrize(
    ("source", "page", "written", "rewritten"),
    [
        ("README.md", "index.md", "[a](docs/backbones.md)", "[a](backbones.md)"),
        ("docs/how-to/a.md", "how-to/a.md", "[a](../../README.md#x)", "[a](../index.md#x)"),
        ("docs/a.md", "a.md", "[a](../examples/b.py)", "[a](examples/b.md)"),
        ("README.md", "index.md", "[a](examples/notebooks/)", "[a](examples.md)"),
        ("docs/a.md", "a.md", "![a](../studies/b.png)", "![a](studies/b.png)"),
        ("docs/a.md", "a.md", "[a](https://x.org/b.md) [c](#d)", "[a](https://x.org/b.md) [c](#d)"),
    ],
)
def test_links_between_files_become_links_between_pages(
    scripts: Any, source: str, page: str, written: str, rewritten: str
) -> None:
    shown = SimpleNamespace(file=SimpleNamespace(abs_src_path=str(ROOT / source), src_uri=page))
    assert scripts.hooks.on_page_markdown(written, shown, None, None) == rewritten


def test_every_link_of_a_page_leads_to_a_page_of_the_site(scripts: Any) -> None:
    # The build checks this too, and takes longer.
    hooks = scripts.hooks
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("studies/**/*.md")]
    there = {hooks.site_path(page.relative_to(ROOT).as_posix()) for page in pages}
    there |= {*hooks.example_pages(), *scripts.notebooks.notebook_pages(ROOT)}
    for page in pages:
        name = page.relative_to(ROOT).as_posix()
        shown = SimpleNamespace(
            file=SimpleNamespace(abs_src_path=str(page), src_uri=hooks.site_path(name))
        )
        text = hooks.on_page_markdown(page.read_text(encoding="utf-8"), shown, None, None)
        for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+\.md)", text):
            path = posixpath.normpath(posixpath.join(hooks.site_path(name), "..", target))
            assert path in there or path.startswith("reference/"), f"{name}: {target}"


def test_formulas_become_mathml(scripts: Any) -> None:
    html = '<p>If <span class="arithmatex">\\(a &lt; b\\)</span></p>'
    shown = scripts.hooks.on_page_content(html, None, None, None)
    assert "arithmatex" not in shown
    assert shown.count("<math") == shown.count("<mo>&#x0003C;</mo>") == 1


def test_an_option_in_a_text_is_not_broken_at_its_hyphens(scripts: Any) -> None:
    html = "<p><code>pip install -q --no-deps a-b</code></p>"
    shown = scripts.hooks.on_page_content(html, None, None, None)
    kept = '<span class="option">{}</span>'.format
    assert f"<code>pip install {kept('-q')} {kept('--no-deps')} a-b</code>" in shown


def test_a_notebook_becomes_a_page_with_its_outputs(scripts: Any, tmp_path: Path) -> None:
    outputs = [
        {"output_type": "stream", "text": ["\x1b[?25l 10 %\r\x1b[2K", "\x1b[1mdone\x1b[0m\r\n"]},
        {"output_type": "execute_result", "data": {"text/html": ["<b>", "9</b>"]}},
        {"output_type": "execute_result", "data": {"text/plain": ["42"]}},
        {
            "output_type": "display_data",
            "data": {"application/vnd.plotly.v1+json": {"data": [{"y": [1, 2]}], "layout": {}}},
        },
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Text."]},
        {"cell_type": "code", "source": ["1"], "outputs": outputs},
    ]
    file = tmp_path / "examples/notebooks/first.ipynb"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"cells": cells}))
    pages = scripts.notebooks.notebook_pages(tmp_path)
    page = pages.pop("examples/notebooks/first.md")
    assert page.startswith("# Title\nText.\n\n```python\n1\n```\n\n```text\ndone\n```\n\n")
    assert "<b>9</b>" in page
    assert "```text\n42\n```" in page
    (script,) = pages
    assert f'src="../../../{script}"' in page
    assert "https://cdn" not in page


def test_the_drawing_of_the_parts_is_that_of_the_diagram(scripts: Any) -> None:
    source = scripts.diagrams.diagram_in((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert scripts.diagrams.is_drawn(source), "nox -s figures draws it"
    assert not scripts.diagrams.is_drawn(f"{source} more")
