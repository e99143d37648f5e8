"""The largest sizes that are taken: what is larger has no room in any machine's memory."""

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
"""By name, in arguments, study files, recipes and what a study stores."""
