"""Domination and crowding as Deb et al. 2002 define them, in lists; all is to be minimised."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.helpers.samplers.relative_nas_reference import Member


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Return True if no loss is larger and one is smaller."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(
        x < y for x, y in zip(a, b, strict=True)
    )


def crowding(point: Sequence[float], others: Sequence[Sequence[float]]) -> float:
    """Deb et al. 2002, section III-B: half the perimeter of the cuboid of the nearest others."""
    sides = []
    for value, column in zip(point, zip(*others, strict=True), strict=True):
        below, above = [o for o in column if o < value], [o for o in column if o > value]
        if not below or not above:
            return math.inf
        width = max(column) - min(column)
        sides.append((min(above) - max(below)) / width if width < math.inf else 0.0)
    return sum(sides)


def first_is_fast(
    first: Member, second: Member, before: list[Member], maximize: Sequence[bool]
) -> bool:
    """Return True if the first of a pair is fast; `before` is the generation before."""

    def losses(member: Member) -> list[float]:
        return [-v if m else v for v, m in zip(member.values, maximize, strict=True)]

    if first.violation != second.violation:
        return first.violation < second.violation
    one, other = losses(first), losses(second)
    # Of two that violate the constraints alike, neither dominates the other.
    if not first.violation and (dominates(one, other) or dominates(other, one)):
        return dominates(one, other)
    others = [losses(m) for m in before if m is not first and m is not second and not m.violation]
    if one == other or not others or len(one) == 1:
        return True
    ahead = [sum(dominates(o, x) for o in others) for x in (one, other)]
    if ahead[0] != ahead[1]:
        return ahead[0] < ahead[1]
    return crowding(one, others) >= crowding(other, others)
