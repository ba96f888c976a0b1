"""Let torchvision, and with it open_clip, be imported beside a CPU build of PyTorch.

The torchvision wheel on the package registry is built for CUDA. Beside a CPU build of PyTorch its
compiled operators do not load, and the import stops at the registration of `torchvision::nms`.
Declaring the operators is enough for models, transforms and data sets; only the detection
operators and `torchvision.io` stay out of reach.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

import torch

_MISSING = "operator torchvision::nms does not exist"
_SCHEMAS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_open_clip() -> None:
    """Make `import open_clip` work; ImportError says in one sentence what to install."""
    if importlib.util.find_spec("open_clip") is None:
        raise ImportError('this needs open_clip: pip install "modality-gap[lab]"')
    import_torchvision()


def import_torchvision() -> None:
    """Import torchvision; if its operators are missing, declare them and import it again.

    Does nothing further where torchvision imports as it is. Any other error is passed on.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name, schema in _SCHEMAS.items():
            torch.library.define(name, schema)
        importlib.import_module("torchvision")
