"""Build hook: turn README.md into the description that PyPI shows."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_TARGET = r"\((?!\w+:|#)([^)\s]+)\)"  # a path of this repository
_IMAGE = re.compile(rf"!\[([^\]]*)\]{_TARGET}")
_FIGURE = re.compile(rf"{_IMAGE.pattern}\n\n(\*[^*\n]+\*\n\n)?")  # with its caption
_LINK = re.compile(rf"(?<!!)\[([^\]]*)\]{_TARGET}")
_CHECKOUT = "pip install ."


class ReadmeHook(MetadataHookInterface):
    """Hook of hatchling that sets the description of the package."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme` in the metadata of the project."""
        root = Path(self.root)
        readme = (root / "README.md").read_text(encoding="utf-8")
        init = (root / "relativenas_optuna/__init__.py").read_text(encoding="utf-8")
        (version,) = re.findall(r'^__version__ = "(.+)"$', init, re.M)
        repository = metadata.get("urls", {}).get("Repository")
        text = description(readme, name=metadata["name"], version=version, repository=repository)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def description(readme: str, *, name: str, version: str, repository: str | None) -> str:
    """Return the README for readers who have no checkout.

    Paths become addresses of the tag of the version. Without a repository, links become plain text
    and figures are left out.

    Args:
        readme: Text of README.md.
        name: Name of the package on PyPI.
        version: Version without "v".
        repository: Address of the repository on GitHub; None if it has none.
    """
    if repository is None:
        readme = _LINK.sub(r"\1", _FIGURE.sub("", readme))
    else:
        base = repository.rstrip("/")
        readme = _IMAGE.sub(rf"![\1]({base}/raw/v{version}/\2)", readme)
        readme = _LINK.sub(rf"[\1]({base}/blob/v{version}/\2)", readme)
    return readme.replace(_CHECKOUT, f"pip install {name}")
