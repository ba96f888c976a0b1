"""The data set, read once a process."""

import pytest

from modality_gap.lab import mad


@pytest.fixture(scope="session")
def data() -> mad.Mad:
    return mad.load_mad()
