"""The description that PyPI shows is the README, without links that lead nowhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from relativenas_optuna import __version__

metadata_core = pytest.importorskip("hatchling.metadata.core")
plugins = pytest.importorskip("hatchling.plugin.manager")
markdown = pytest.importorskip("readme_renderer.markdown")
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "https://github.com/example/relativenas-optuna"


def shown_by_pypi(root: Path) -> str:
    """Return the HTML that PyPI makes of the description in the built metadata."""
    core = metadata_core.ProjectMetadata(str(root), plugins.PluginManager()).core
    assert core.readme_content_type == "text/markdown"
    return str(markdown.render(core.readme))


def targets(attribute: str, html: str) -> list[str]:
    return re.findall(rf'{attribute}="([^"]+)"', html)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of what the metadata are built from."""
    (tmp_path / "relativenas_optuna").mkdir()
    for name in (
        *("README.md", "LICENSE", "hatch_build.py", "pyproject.toml"),
        "relativenas_optuna/__init__.py",
    ):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def set_repository(project: Path, address: str) -> None:
    file = project / "pyproject.toml"
    text = re.sub(r"\[project\.urls\]\n(.+\n)*\n", "", file.read_text(encoding="utf-8"))
    table = f'[project.urls]\nRepository = "{address}"\n' if address else ""
    file.write_text(f"{table}{text}", encoding="utf-8")


def test_links_and_images_are_those_of_the_tag(project: Path) -> None:
    set_repository(project, ADDRESS)
    html = shown_by_pypi(project)
    images = re.findall(r"!\[[^\]]*\]\((.+?)\)", README)
    pages = re.findall(r"(?<!!)\[[^\]]*\]\((?!https:)(.+?)\)", README)
    assert targets("src", html) == [f"{ADDRESS}/raw/v{__version__}/{path}" for path in images]
    links = [link for link in targets("href", html) if link.startswith(ADDRESS)]
    assert links == [f"{ADDRESS}/blob/v{__version__}/{path}" for path in pages]
    assert len(links) > 20


def test_without_a_repository_no_link_or_image_is_broken(project: Path) -> None:
    set_repository(project, "")
    html = shown_by_pypi(project)
    assert targets("src", html) == []
    links = targets("href", html)  # those with # are of headings
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert "Two cells" not in html  # the caption of an image


def test_install_command_takes_the_package_from_pypi(project: Path) -> None:
    assert "pip install ." in README
    text = re.sub("<[^>]+>", "", shown_by_pypi(project))
    assert "pip install relativenas-optuna &amp;&amp; .venv/bin/relativenas search" in text
    assert "pip install ." not in text
