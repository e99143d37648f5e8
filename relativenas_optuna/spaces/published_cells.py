"""Architectures from the literature, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from relativenas_optuna.spaces.genotype import Genotype


@dataclass(frozen=True)
class Published:
    """A published architecture.

    Attributes:
        genotype: Its two cells. NASNet-A and AmoebaNet-A are in the simplified form in which the
            DARTS experiments trained them, with one operation of each kernel size.
        source: Authors, title, venue and year of the publication.
        pool_norm: True if the authors' network has an affine batch norm after each pooling
            operation. `build` then adds it by default.
    """

    genotype: Genotype
    source: str
    pool_norm: bool = False


def _published(source: str, *, normal: str, reduce: str, pool_norm: bool = False) -> Published:
    genotype = Genotype.from_text(f"normal: {normal}\nreduce: {reduce}")
    return Published(genotype, source, pool_norm)


_MIGO = (
    "Zheng, Ji, Chen, Wang, Zhang, Chen, Ye, Huang, Tian, MIGO-NAS: Towards Fast and Generalizable "
    "Neural Architecture Search, IEEE TPAMI 43(9), 2021, doi 10.1109/TPAMI.2021.3065138, trial "
)


PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "RelativeNAS": _published(
            "Tan et al., RelativeNAS: Relative Neural Architecture Search via Slow-Fast Learning, "
            "IEEE TNNLS 2021, arXiv 2009.06193",
            normal="node2 sep_conv_3x3(0) dil_conv_5x5(1)"
            " | node3 sep_conv_3x3(1) sep_conv_3x3(1)"
            " | node4 sep_conv_3x3(1) sep_conv_5x5(1)"
            " | node5 skip_connect(0) sep_conv_3x3(0)",
            reduce="node2 avg_pool_3x3(1) max_pool_3x3(1)"
            " | node3 dil_conv_5x5(1) max_pool_3x3(1)"
            " | node4 avg_pool_3x3(3) skip_connect(1)"
            " | node5 dil_conv_5x5(3) sep_conv_3x3(1)",
        ),
        "DARTS_V1": _published(
            "Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, ICLR 2019, "
            "arXiv 1806.09055, first order",
            normal="node2 sep_conv_3x3(1) sep_conv_3x3(0)"
            " | node3 skip_connect(0) sep_conv_3x3(1)"
            " | node4 skip_connect(0) sep_conv_3x3(1)"
            " | node5 sep_conv_3x3(0) skip_connect(2)",
            reduce="node2 max_pool_3x3(0) max_pool_3x3(1)"
            " | node3 skip_connect(2) max_pool_3x3(0)"
            " | node4 max_pool_3x3(0) skip_connect(2)"
            " | node5 skip_connect(2) avg_pool_3x3(0)",
        ),
        "DARTS_V2": _published(
            "Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, ICLR 2019, "
            "arXiv 1806.09055, second order",
            normal="node2 sep_conv_3x3(0) sep_conv_3x3(1)"
            " | node3 sep_conv_3x3(0) sep_conv_3x3(1)"
            " | node4 sep_conv_3x3(1) skip_connect(0)"
            " | node5 skip_connect(0) dil_conv_3x3(2)",
            reduce="node2 max_pool_3x3(0) max_pool_3x3(1)"
            " | node3 skip_connect(2) max_pool_3x3(1)"
            " | node4 max_pool_3x3(0) skip_connect(2)"
            " | node5 skip_connect(2) max_pool_3x3(1)",
        ),
        "NASNet_A": _published(
            "Zoph, Vasudevan, Shlens, Le, Learning Transferable Architectures for Scalable Image "
            "Recognition, CVPR 2018, arXiv 1707.07012",
            normal="node2 sep_conv_5x5(1) sep_conv_3x3(0)"
            " | node3 sep_conv_5x5(0) sep_conv_3x3(0)"
            " | node4 avg_pool_3x3(1) skip_connect(0)"
            " | node5 avg_pool_3x3(0) avg_pool_3x3(0)"
            " | node6 sep_conv_3x3(1) skip_connect(1)",
            reduce="node2 sep_conv_5x5(1) sep_conv_7x7(0)"
            " | node3 max_pool_3x3(1) sep_conv_7x7(0)"
            " | node4 avg_pool_3x3(1) sep_conv_5x5(0)"
            " | node5 skip_connect(3) avg_pool_3x3(2)"
            " | node6 sep_conv_3x3(2) max_pool_3x3(1)"
            " | concat 4 5 6",
        ),
        "AmoebaNet_A": _published(
            "Real, Aggarwal, Huang, Le, Regularized Evolution for Image Classifier Architecture "
            "Search, AAAI 2019, arXiv 1802.01548",
            normal="node2 avg_pool_3x3(0) max_pool_3x3(1)"
            " | node3 sep_conv_3x3(0) sep_conv_5x5(2)"
            " | node4 sep_conv_3x3(0) avg_pool_3x3(3)"
            " | node5 sep_conv_3x3(1) skip_connect(1)"
            " | node6 skip_connect(0) avg_pool_3x3(1)"
            " | concat 4 5 6",
            reduce="node2 avg_pool_3x3(0) sep_conv_3x3(1)"
            " | node3 max_pool_3x3(0) sep_conv_7x7(2)"
            " | node4 sep_conv_7x7(0) avg_pool_3x3(1)"
            " | node5 max_pool_3x3(0) max_pool_3x3(1)"
            " | node6 conv_7x1_1x7(0) sep_conv_3x3(5)"
            " | concat 3 4 6",
        ),
        "MIGO-NAS-1": _published(
            f"{_MIGO}1",
            normal="node2 dil_conv_3x3(1) avg_pool_3x3(0)"
            " | node3 sep_conv_5x5(1) dil_conv_5x5(2)"
            " | node4 dil_conv_3x3(0) sep_conv_3x3(3)"
            " | node5 sep_conv_5x5(3) skip_connect(0)",
            reduce="node2 sep_conv_5x5(1) dil_conv_5x5(0)"
            " | node3 max_pool_3x3(0) avg_pool_3x3(2)"
            " | node4 skip_connect(2) dil_conv_3x3(3)"
            " | node5 skip_connect(3) dil_conv_3x3(1)",
            pool_norm=True,
        ),
        "MIGO-NAS-2": _published(
            f"{_MIGO}2",
            normal="node2 sep_conv_3x3(0) dil_conv_5x5(1)"
            " | node3 sep_conv_3x3(1) skip_connect(2)"
            " | node4 skip_connect(3) dil_conv_3x3(0)"
            " | node5 sep_conv_5x5(1) dil_conv_3x3(0)",
            reduce="node2 dil_conv_5x5(1) dil_conv_5x5(0)"
            " | node3 skip_connect(1) max_pool_3x3(0)"
            " | node4 avg_pool_3x3(2) skip_connect(1)"
            " | node5 sep_conv_5x5(3) dil_conv_5x5(4)",
            pool_norm=True,
        ),
        "MIGO-NAS-3": _published(
            f"{_MIGO}3",
            normal="node2 dil_conv_3x3(1) sep_conv_3x3(0)"
            " | node3 sep_conv_3x3(0) skip_connect(2)"
            " | node4 max_pool_3x3(2) max_pool_3x3(1)"
            " | node5 avg_pool_3x3(0) sep_conv_3x3(2)",
            reduce="node2 sep_conv_3x3(1) sep_conv_5x5(0)"
            " | node3 sep_conv_3x3(1) dil_conv_5x5(2)"
            " | node4 max_pool_3x3(0) skip_connect(3)"
            " | node5 max_pool_3x3(1) avg_pool_3x3(0)",
            pool_norm=True,
        ),
        "MIGO-NAS-4": _published(
            f"{_MIGO}4",
            normal="node2 dil_conv_3x3(0) avg_pool_3x3(1)"
            " | node3 sep_conv_3x3(2) skip_connect(0)"
            " | node4 dil_conv_3x3(3) avg_pool_3x3(0)"
            " | node5 sep_conv_5x5(3) max_pool_3x3(4)",
            reduce="node2 sep_conv_5x5(0) sep_conv_3x3(1)"
            " | node3 avg_pool_3x3(0) avg_pool_3x3(2)"
            " | node4 sep_conv_3x3(3) avg_pool_3x3(1)"
            " | node5 sep_conv_5x5(2) max_pool_3x3(1)",
            pool_norm=True,
        ),
    }
)
"""The published architectures by name."""


def published(name: str) -> Genotype:
    """Return the genotype of a published architecture.

    Raises:
        ValueError: No architecture has that name.
    """
    if name not in PUBLISHED:
        raise ValueError(f"name must be one of {', '.join(PUBLISHED)}, got {name!r}")
    return PUBLISHED[name].genotype


def published_pool_norm(genotype: object) -> bool:
    """Return True for a published architecture with a batch norm after pooling (`pool_norm`)."""
    return any(found.pool_norm and found.genotype == genotype for found in PUBLISHED.values())
