"""What a record of weights is made of, and how each part is written as JSON data."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, replace
from typing import Any

from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.storages.stored_json import UNREADABLE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_SHOWN = 80


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A candidate that was trained and scored.

    Attributes:
        seat: What it was trained as; under a sampler without seats one made from its number.
        architecture: What was trained, as text.
        loss: What the study is told.
        accuracy: Share of the validation images classified right, 0 to 1.
        train_loss: Mean loss while it was trained.
    """

    seat: Seat
    architecture: str
    loss: float
    accuracy: float
    train_loss: float

    @property
    def brief(self) -> Scored:
        """The candidate with the `fingerprint` of its architecture, whose text may be long."""
        return replace(self, architecture=fingerprint(self.architecture))

    def to_data(self) -> dict[str, Any]:
        """The candidate as plain JSON data."""
        return {
            "seat": [self.seat.generation, self.seat.number],
            "architecture": self.architecture,
            "loss": _plain(self.loss),
            "accuracy": _plain(self.accuracy),
            "train_loss": _plain(self.train_loss),
        }

    @classmethod
    def from_data(cls, data: Any) -> Scored:
        """The candidate that `to_data` wrote.

        Raises:
            ValueError: It is nothing that `to_data` wrote.
        """
        try:
            generation, number = data["seat"]
            return cls(
                seat=Seat(whole(generation), whole(number)),
                architecture=text_of(data["architecture"]),
                loss=_number(data["loss"]),
                accuracy=_number(data["accuracy"]),
                train_loss=_number(data["train_loss"]),
            )
        except UNREADABLE as error:
            raise ValueError(f"no scored candidate: {brief(data)}") from error


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A file that is complete.

    Attributes:
        name: In its folder or artifact store; letters, digits, dot, dash and underscore.
        sha256: Of its content, in hexadecimal digits.
        size: Of its content, in bytes.
    """

    name: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        check_name(self.name)
        if not _SHA256.fullmatch(text_of(self.sha256)):
            raise ValueError(f"sha256 must be 64 hexadecimal digits; got {brief(self.sha256)}")
        whole(self.size)

    @classmethod
    def of(cls, name: str, content: bytes) -> Stored:
        """What a file of this content will be."""
        return cls(name=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def to_data(self) -> dict[str, Any]:
        """The file as plain JSON data."""
        return {"name": self.name, "sha256": self.sha256, "size": self.size}

    @classmethod
    def from_data(cls, data: Any) -> Stored:
        """The file that `to_data` wrote; other entries do not count.

        Raises:
            ValueError: It is nothing that `to_data` wrote.
        """
        try:
            return cls(name=data["name"], sha256=data["sha256"], size=data["size"])
        except UNREADABLE as error:
            raise ValueError(f"no stored file: {brief(data)}") from error


@dataclass(frozen=True, kw_only=True)
class Version:
    """A file with all weights, after so many commits."""

    version: int
    file: Stored

    def to_data(self) -> dict[str, Any]:
        """The version as plain JSON data."""
        return {"version": self.version} | self.file.to_data()

    @classmethod
    def from_data(cls, data: Any) -> Version:
        """The version that `to_data` wrote.

        Raises:
            ValueError: It is nothing that `to_data` wrote.
        """
        file = Stored.from_data(data)
        return cls(version=whole(data.get("version")), file=file)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The first learner of a pair whose second is not scored yet.

    Attributes:
        scored: What it scored, `brief`.
        file: What it learned.
        start_version: Number of commits behind the weights that it began with.
    """

    scored: Scored
    file: Stored
    start_version: int

    def to_data(self) -> dict[str, Any]:
        """The learner as plain JSON data."""
        start = {"start_version": self.start_version}
        return self.scored.to_data() | self.file.to_data() | start

    @classmethod
    def from_data(cls, data: Any) -> Waiting:
        """The learner that `to_data` wrote.

        Raises:
            ValueError: It is nothing that `to_data` wrote.
        """
        scored, file = Scored.from_data(data), Stored.from_data(data)
        return cls(scored=scored, file=file, start_version=whole(data.get("start_version")))


def fingerprint(architecture: str) -> str:
    """A short name of an architecture, whose text may be long."""
    return hashlib.sha256(architecture.encode()).hexdigest()[:32]


def check_name(name: object) -> str:
    """A file name that leads nowhere else.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"a file's name must be of at most 128 letters, digits, dots, dashes and underscores, "
            f"the first a letter or digit; got {brief(name)}"
        )
    return name


def whole(value: object) -> int:
    """A whole number from 0.

    Raises:
        ValueError: It is none.
    """
    if type(value) is not int or value < 0:
        raise ValueError(f"a whole number from 0 is needed; got {brief(value)}")
    return value


def text_of(value: object) -> str:
    """A text.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, str):
        raise ValueError(f"a text is needed; got {brief(value)}")
    return value


def brief(value: object) -> str:
    """A value for a message: in one line, and not too long."""
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."


def _plain(number: float) -> float | str:
    # JSON has no word for these, and databases and browsers refuse Python's.
    return float(number) if math.isfinite(number) else str(float(number))


def _number(value: object) -> float:
    if type(value) in (int, float) or value in ("nan", "inf", "-inf"):
        return float(value)  # type: ignore[arg-type]
    raise ValueError(f"a number is needed; got {brief(value)}")
