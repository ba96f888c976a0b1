"""The examples in the package's docstrings, run."""

from __future__ import annotations

import doctest
import importlib
import inspect

import numpy as np
import pytest
import torch

import modality_gap as mg

PUBLIC = {name: getattr(mg, name) for name in (*mg.__all__, "GapMetric")}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_of_a_public_name_gives_what_it_says(name: str) -> None:
    value = PUBLIC[name]
    examples = doctest.DocTestFinder(recurse=False).find(
        value, name, globs={"mg": mg, "torch": torch, "np": np}
    )
    assert any(each.examples for each in examples), f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for each in examples:
        assert runner.run(each).failed == 0


def test_every_module_can_be_imported_by_its_own_name() -> None:
    for value in PUBLIC.values():
        assert importlib.import_module(inspect.getmodule(value).__name__)
