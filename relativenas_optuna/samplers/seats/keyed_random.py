"""Random numbers by a key: the same seed and purpose always give the same numbers."""

from __future__ import annotations

import hashlib

import numpy as np

_SEATS = 2  # the purpose of `uniform`; samplers choose others for streams of their own


def keyed_generator(seed: int, purpose: int, *key: int) -> np.random.Generator:
    """Return the generator of a key; no two keys share a stream.

    Args:
        seed: Seed of the search.
        purpose: Number of the purpose, from 0.
        key: Further numbers from 0: a generation, a seat, a `name_key`.
    """
    return np.random.default_rng(np.random.SeedSequence((seed, purpose, *key)))


def name_key(name: str) -> int:
    """Return a number for a parameter's name, 0 to 2**64 - 1."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def uniform(seed: int, generation: int, seat: int, name: str) -> float:
    """Return the number in [0, 1) for a parameter of a seat of a generation."""
    return float(keyed_generator(seed, _SEATS, generation, seat, name_key(name)).random())
