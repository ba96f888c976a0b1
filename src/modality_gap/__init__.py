"""Mind the Modality Gap: the helper package of the book.

The metrics and the embeddings are here. The book's small world is in `lab`, what takes hours in
`experiments`, its stored tables in `results`, and what the pages are furnished with in `book`.
"""

import importlib
from typing import TYPE_CHECKING

from .bias import moad, similarity_difference
from .cone import layerwise_cosine, random_mlp, relu_cosine_recursion
from .contrastive import info_nce, info_nce_terms, softmax_entropy
from .embeddings import (
    Embeddings,
    Pairs,
    available_embeddings,
    encode,
    encode_pairs,
    load_embeddings,
    open_pairs,
    random_clip,
)
from .gap import (
    gap_share,
    gap_vector,
    l2i,
    l2m,
    loss_landscape,
    loss_minimum,
    modality_separability,
    rmg,
    shift,
)
from .report import Measured, measure
from .retrieval import recall_at_k
from .sphere import alignment, mean_cosine, normalize, paired_cosine, uniformity

if TYPE_CHECKING:
    from .book import plots as plots
    from .gap_metric import GapMetric as GapMetric
    from .lab import mad as mad
    from .lab.mad import caption_information as caption_information

__version__ = "0.1.0"

__all__ = [
    "Embeddings",
    "Measured",
    "Pairs",
    "alignment",
    "available_embeddings",
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
    "mean_cosine",
    "measure",
    "moad",
    "modality_separability",
    "normalize",
    "open_pairs",
    "paired_cosine",
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

# What the book adds to the metrics is imported when it is asked for: it needs matplotlib, pandas
# and scikit-image, which take seconds, as torchmetrics does. So a star import leaves it out.
_LATER = {
    "GapMetric": "gap_metric",
    "caption_information": "lab.mad",
    "mad": "lab",
    "plots": "book",
}


def __getattr__(name: str) -> object:
    """`GapMetric`, `mad`, `plots` and `caption_information`, imported on first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = importlib.import_module(f".{_LATER[name]}", __name__)
        if not hasattr(home, name):  # a module that its package has not imported yet
            importlib.import_module(f"{home.__name__}.{name}")
    except ModuleNotFoundError as error:
        extra = "metrics" if name == "GapMetric" else "book"
        raise ModuleNotFoundError(
            f"modality_gap.{name} needs {error.name}: pip install 'modality-gap[{extra}]'"
        ) from error
    return getattr(home, name)
