"""Hooks of MkDocs: add pages from outside of docs/, generate the reference, rewrite links."""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

import latex2mathml.converter
from diagrams import BLOCK, DIAGRAM, diagram_in, is_drawn
from mkdocs.structure.files import File
from notebooks import notebook_pages
from reference import api_pages, command_line_page, settings_page

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

LOGGER = logging.getLogger("mkdocs.hooks.diagrams")
ROOT = Path(__file__).parents[2]
PROJECT_PAGES = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK = re.compile(r"(!?\[[^\]]*\])\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_MATH = re.compile(r"<(span|div) class=\"arithmatex\">\\[(\[](.*?)\\[)\]]</\1>", re.S)
_INLINE_CODE = re.compile(r"<code>([^<]*)</code>")
_OPTION = re.compile(r"(?<![\w-])--?\w[\w-]*")
_UNBROKEN = r'<span class="option">\g<0></span>'
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


def site_path(repository_path: str) -> str:
    """Return the path in the site's sources of a file of the repository."""
    if repository_path == "README.md":
        return "index.md"
    if repository_path.startswith("examples") and not posixpath.splitext(repository_path)[1]:
        return "examples.md"
    if repository_path.startswith("examples/"):
        return posixpath.splitext(repository_path)[0] + ".md"
    return repository_path.removeprefix("docs/")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README, the studies, the examples and the generated reference to the site."""
    sources = [ROOT / name for name in ("README.md", *PROJECT_PAGES)]
    sources += [path for path in ROOT.glob("studies/**/*") if path.suffix in (".md", ".png")]
    for source in sources:
        path = source.relative_to(ROOT).as_posix()
        files.append(File.generated(config, site_path(path), abs_src_path=str(source)))
    generated = {
        "reference/cli.md": command_line_page(),
        "reference/settings.md": settings_page(),
        **api_pages(ROOT),
        **example_pages(),
        **notebook_pages(ROOT),
    }
    for path, content in generated.items():
        files.append(File.generated(config, path, content=content))
    return files


def example_pages() -> dict[str, str]:
    """Return a page for each script in examples/, and their list, by path."""
    pages = {}
    lines = ["# Examples", "", "Scripts of about 50 lines that you can copy.", ""]
    folder = ROOT / "examples"
    for script in sorted(folder.rglob("*.py"), key=lambda path: (len(path.parts), path)):
        text = script.read_text(encoding="utf-8")
        first = text.removeprefix('"""').split("\n", 1)[0].removesuffix('"""')
        path = f"examples/{script.relative_to(folder).with_suffix('.md').as_posix()}"
        pages[path] = f"# {script.name}\n\n```python\n{text}```\n"
        lines.append(f"- [{script.name}]({path}): {first}")
    notebooks = sorted(ROOT.glob("examples/notebooks/*.ipynb"))
    if notebooks:
        lines += ["", "Notebooks with their outputs:", ""]
    lines += [f"- [{file.name}](examples/notebooks/{file.stem}.md)" for file in notebooks]
    return {"examples.md": "\n".join(lines) + "\n", **pages}


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links between files of the repository to links between pages of the site."""
    source = Path(page.file.abs_src_path or "")
    if not source.is_relative_to(ROOT):
        return markdown  # a generated page has links of the site
    folder = source.relative_to(ROOT).parent.as_posix()
    here = posixpath.dirname(page.file.src_uri)

    def rewritten(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        there = site_path(posixpath.normpath(posixpath.join(folder, target)))
        return f"{text}({posixpath.relpath(there, here or '.')}{anchor or ''})"

    return _with_drawing(_LINK.sub(rewritten, markdown), here)


def _with_drawing(markdown: str, folder: str) -> str:
    """Replace a diagram by its drawing, for which a page needs no script."""
    if not BLOCK.search(markdown):
        return markdown
    if not is_drawn(diagram_in(markdown)):
        LOGGER.warning("%s is not the drawing of the page's diagram: nox -s figures", DIAGRAM.name)
    path = posixpath.relpath(f"figures/{DIAGRAM.name}", folder or ".")
    return BLOCK.sub(f"![The parts and their imports]({path})", markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn LaTeX into MathML, which needs no script, and keep options such as --size on a line."""

    def mathml(match: re.Match[str]) -> str:
        latex = match[2]
        for entity, character in _ENTITIES.items():
            latex = latex.replace(entity, character)
        display = "block" if match[1] == "div" else "inline"
        return str(latex2mathml.converter.convert(latex, display=display))

    def unbroken(match: re.Match[str]) -> str:
        return f"<code>{_OPTION.sub(_UNBROKEN, match[1])}</code>"

    return _INLINE_CODE.sub(unbroken, _MATH.sub(mathml, html))
