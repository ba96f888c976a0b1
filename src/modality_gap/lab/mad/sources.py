"""The handwriting that MAD is made from: scikit-learn's digits, or MNIST."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from ...embeddings.download import check_reachable
from ...torchvision_fix import import_torchvision
from .settings import MadSettings

MNIST_DIGITS = 10_000
PATIENCE = 8.0  # seconds until a server that does not answer counts as out of reach

Source = tuple[NDArray[np.float32], NDArray[np.int64]]


def load_source(settings: MadSettings, folder: Path) -> Source:
    """Grey images in [0, 1], shape (S, 8, 8) or (S, 28, 28), and their labels, shape (S,).

    Raises:
        ValueError: more digits were asked for than the source has.
        ConnectionError: MNIST is not in the folder and could not be fetched.
    """
    images, labels = _digits() if settings.source == "digits" else _mnist(folder)
    count = len(labels) if settings.digits is None else settings.digits
    if count > len(labels):
        raise ValueError(f"digits: {settings.source!r} has {len(labels)}, got {count}")
    return images[:count], labels[:count]


def _digits() -> Source:
    data = load_digits()
    return (data.images / 16).astype(np.float32), data.target.astype(np.int64)


def _mnist(folder: Path) -> Source:
    import_torchvision()
    from torchvision.datasets import MNIST

    try:
        data = MNIST(str(folder), download=False)
    except RuntimeError:  # torchvision's way to say that it is not there
        try:
            check_reachable(MNIST.mirrors, PATIENCE)
            with _socket_timeout(PATIENCE):
                data = MNIST(str(folder), download=True)
        except (RuntimeError, TimeoutError, ConnectionError) as error:
            raise ConnectionError(
                f"MNIST could not be fetched from any of {', '.join(MNIST.mirrors)} "
                f'({" ".join(str(error).split())}); source="digits" needs no network'
            ) from error
    images = data.data[:MNIST_DIGITS].numpy().astype(np.float32) / 255
    return images, data.targets[:MNIST_DIGITS].numpy().astype(np.int64)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
