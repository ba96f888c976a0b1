"""Paired embeddings: by name, from a file, of your own pairs, and of encoders at random weights."""

from .files import Pairs, open_pairs
from .named import Embeddings, available_embeddings, load_embeddings
from .own import encode_pairs
from .parts import encode_in_parts
from .towers import encode, random_clip

__all__ = [
    "Embeddings",
    "Pairs",
    "available_embeddings",
    "encode",
    "encode_in_parts",
    "encode_pairs",
    "load_embeddings",
    "open_pairs",
    "random_clip",
]
