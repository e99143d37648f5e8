"""The pages about the code name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    *sorted(page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/**/*.md")),
)
_CODE = re.compile(r"^```.*?^```$", re.M | re.S)
_MADE = re.compile(r"^```\w+ title=\"([^\"]+)\"", re.M)  # files that the reader makes
# The build of the site generates these pages, and checks the links to them.
GENERATED = re.compile(r"(^|/)(api/\w+|cli|settings)\.md$")


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)*[a-z_0-9]+\.(?:py|md|toml)|[\w/]+/\w+/)`", text)
    places = (ROOT, ROOT / "relativenas_optuna")
    named = [name for name in named if name not in _MADE.findall(text)]
    # A module without its folder is known by its name, wherever it lies.
    modules = {path.name for path in ROOT.glob("relativenas_optuna/**/*.py")}
    assert [
        n for n in named if n not in modules and not any((p / n).exists() for p in places)
    ] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_links_exist(page: str) -> None:
    text = _CODE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert targets or page.startswith("docs/")
    there = (ROOT / page).parent
    assert [t for t in targets if not GENERATED.search(t) and not (there / t).exists()] == []
