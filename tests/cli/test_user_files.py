"""Text files of users: a byte order mark, or UTF-16 as PowerShell writes it, changes nothing."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from relativenas_optuna._utils.files import decoded
from relativenas_optuna.cli.commands.ask_tell.search_space import read_space
from relativenas_optuna.evaluation.standalone.recipe_file import recipe_of
from relativenas_optuna.search.architectures import architecture_of
from relativenas_optuna.search.study_file import StudyFile
from relativenas_optuna.spaces import Genotype
from relativenas_optuna.spaces.published_cells import PUBLISHED

GENOTYPE = PUBLISHED["RelativeNAS"].genotype
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_text_file_of_a_user_is_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "file"

    def written(text: str) -> Path:
        path.write_text(text, encoding=encoding, newline="\r\n")
        return path

    for text in (GENOTYPE.to_text(), GENOTYPE.to_json()):
        named = architecture_of(str(written(text)), storage="sqlite://", study="none")
        assert named.genotype == GENOTYPE
    assert recipe_of(str(written('base = "digits"\nepochs = 7'))).epochs == 7
    assert StudyFile.read(written('study = "Bäume"')).study == "Bäume"
    space = read_space(str(written('{"x": {"type": "float", "low": 0.0, "high": 1.0}}')))
    assert list(space) == ["x"]


def test_a_genotype_as_a_string_may_begin_with_the_mark() -> None:
    assert Genotype.from_text(f"\ufeff{GENOTYPE.to_text()}") == GENOTYPE
    assert Genotype.from_json(f"\ufeff{GENOTYPE.to_json()}") == GENOTYPE


@pytest.mark.parametrize("content", [b"\xff", codecs.BOM_UTF16_LE + b"a", "ä".encode("latin-1")])
def test_other_encodings_are_refused(content: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        decoded(content)
