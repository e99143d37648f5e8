"""Each class of populations is found by a name of its own."""

from __future__ import annotations

from typing import ClassVar

import pytest

from relativenas_optuna.samplers import RelativeNASSampler
from relativenas_optuna.samplers.populations import PairedPopulation, population_class


def test_the_name_of_a_sampler_leads_to_its_population() -> None:
    assert population_class(RelativeNASSampler.__name__) is PairedPopulation
    assert population_class("NobodysSampler") is None


def test_a_subclass_without_a_name_of_its_own_is_refused() -> None:
    with pytest.raises(TypeError, match=r"class .*Unnamed must set its own `sampler`"):

        class Unnamed(PairedPopulation):
            pass


def test_a_name_that_another_class_has_is_refused() -> None:
    with pytest.raises(TypeError, match=r"and 'RelativeNASSampler' is that of relativenas_optuna"):

        class Second(PairedPopulation):
            sampler: ClassVar[str] = "RelativeNASSampler"

    assert population_class("RelativeNASSampler") is PairedPopulation
