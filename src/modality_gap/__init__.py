"""Mind the Modality Gap: the helper package of the book."""

from . import mad, plots
from .cone import (
    encode,
    layerwise_cosine,
    random_clip,
    random_mlp,
    relu_cosine_recursion,
)
from .contrastive import info_nce, info_nce_terms, softmax_entropy
from .embeddings import Embeddings, available_embeddings, load_embeddings
from .encoding import encode_pairs
from .gap import (
    gap_share,
    gap_vector,
    l2i,
    l2m,
    loss_landscape,
    loss_minimum,
    modality_separability,
    recall_at_k,
    rmg,
    shift,
)
from .information import caption_information, moad, similarity_difference
from .sphere import alignment, mean_cosine, normalize, paired_cosine, uniformity

__version__ = "0.1.0"

__all__ = [
    "Embeddings",
    "alignment",
    "available_embeddings",
    "caption_information",
    "encode",
    "encode_pairs",
    "gap_share",
    "gap_vector",
    "info_nce",
    "info_nce_terms",
    "l2i",
    "l2m",
    "layerwise_cosine",
    "load_embeddings",
    "loss_landscape",
    "loss_minimum",
    "mad",
    "mean_cosine",
    "moad",
    "modality_separability",
    "normalize",
    "paired_cosine",
    "plots",
    "random_clip",
    "random_mlp",
    "recall_at_k",
    "relu_cosine_recursion",
    "rmg",
    "shift",
    "similarity_difference",
    "softmax_entropy",
    "uniformity",
]
