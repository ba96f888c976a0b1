"""Paired embeddings: by name, from a file, of your own pairs, and of encoders at random weights."""

from .named import Embeddings, available_embeddings, load_embeddings
from .own import encode_pairs
from .towers import encode, random_clip

__all__ = [
    "Embeddings",
    "available_embeddings",
    "encode",
    "encode_pairs",
    "load_embeddings",
    "random_clip",
]
