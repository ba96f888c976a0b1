"""The data set, read once a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from modality_gap.lab import mad


@pytest.fixture(scope="session")
def data() -> mad.Mad:
    # Imported here, because pytest reads this file before it has set the threads of PyTorch.
    from modality_gap.lab import mad

    return mad.load_mad()
