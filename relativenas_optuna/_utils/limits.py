"""The largest sizes that the package accepts; larger ones fit in no machine's memory."""

from __future__ import annotations

from types import MappingProxyType

MOST = MappingProxyType(
    {
        "nodes": 64,
        "channels": 4096,
        "cells": 256,
        "in_channels": 1024,
        "num_classes": 100_000,
        "population": 100_000,
        "batch_size": 1_000_000,
        "size": 16_384,  # pixels of an image's side
    }
)
"""Largest allowed value by setting name, for arguments, study files, recipes and stored plans."""

MAX_SEED = 2**32 - 1
"""Largest seed of random numbers."""
