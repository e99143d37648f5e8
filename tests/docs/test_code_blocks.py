"""The code blocks of the site's pages run as they stand."""

import os
import sys
from pathlib import Path

import pytest

from tests.helpers.code_blocks import blocks_of, run_blocks

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
LANGUAGES = {"bash", "json", "mermaid", "python", "text", "toml", "yaml"}
# Pages whose Python blocks take more than a few seconds. Pages with commands are slow too.
SLOW = {"backbones.md", "how-to/own_objective.md"}
# A page names the database of a server, which is another one in tests.
POSTGRESQL = "postgresql+psycopg2://searcher:secret@db.example.org/searches"
VARIABLE = "RELATIVENAS_TEST_POSTGRESQL"


def pages() -> list[object]:
    """Return the pages that have code to run, the slow ones with their mark."""
    found: list[object] = []
    for name, path in PAGES.items():
        blocks = blocks_of(path)
        if any(block.language not in ("", "mermaid", "text") for block in blocks):
            slow = name in SLOW or any(block.is_command for block in blocks)
            found.append(pytest.param(path, id=name, marks=[pytest.mark.slow] if slow else []))
    return found


# Python hides these from a reader, whose libraries warn their authors of other libraries.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("page", pages())
def test_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = blocks_of(page)
    urls = {}
    if any(POSTGRESQL in block.code for block in blocks if block.runs):
        if VARIABLE not in os.environ:
            pytest.skip(f"{VARIABLE} names no database")
        urls[POSTGRESQL] = os.environ[VARIABLE]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    try:
        run_blocks(blocks, tmp_path, urls)
    finally:
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(tmp_path):
                del sys.modules[name]  # another page may have a module of this name


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_every_block_says_its_language(path: Path) -> None:
    assert [block for block in blocks_of(path) if block.language not in LANGUAGES] == []
