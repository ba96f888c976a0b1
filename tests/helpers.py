"""What several test files need: random unit rows, rotations, and a strategy of seeds."""

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

import modality_gap as mg

# How fast a machine is, is not what the properties are about.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

SEEDS = st.integers(0, 10_000)


def unit_rows(n: int, d: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return mg.normalize(torch.randn(n, d, generator=generator, dtype=dtype))


def rotation(d: int, seed: int = 0) -> Tensor:
    """A random orthogonal matrix."""
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q
