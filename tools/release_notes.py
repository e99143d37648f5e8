"""Print the part of CHANGELOG.md that describes one version.

`python tools/release_notes.py 0.1.0 > notes.md` makes the text of a release.
"""

import argparse
import re
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def release_notes(version: str, changelog: str) -> str:
    """Return the Markdown between the heading of a version and the heading of the next one.

    Args:
        version: Version as in the heading "## VERSION (date)".
        changelog: Text of CHANGELOG.md.

    Raises:
        ValueError: No heading has this version.
    """
    parts = re.split(r"^## (\S+).*\n", changelog, flags=re.MULTILINE)
    notes = dict(zip(parts[1::2], parts[2::2], strict=True))
    if version not in notes:
        raise ValueError(
            f"CHANGELOG.md has no heading '## {version}'. It has: {', '.join(notes) or 'none'}"
        )
    return notes[version].strip() + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help='version to describe, such as "0.1.0"')
    arguments = parser.parse_args()
    try:
        print(release_notes(arguments.version, CHANGELOG.read_text(encoding="utf-8")), end="")
    except ValueError as error:
        parser.error(str(error))
