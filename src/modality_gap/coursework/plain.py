"""Plain data across the wire: JSON, and tensors as safetensors. What is read back is never code.

Kept: None, truth values, numbers, text, lists, tuples, sets, dictionaries, tensors and arrays of
real numbers, at any depth up to 20; of a PyTorch module, its state.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

DEPTH = 20
MIME = "application/x-answer"


def encode(value: Any, depth: int = DEPTH) -> Any:
    """A value as JSON can hold it.

    Raises:
        TypeError: a value of another kind, or nested deeper than 20.
    """
    if depth == 0:
        raise TypeError("the answer is nested too deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic | np.ndarray):
        if value.dtype.kind not in "biuf":
            raise TypeError(f"an array of {value.dtype}; numbers are expected")
        kind = "scalar" if isinstance(value, np.generic) else "array"
        return {**encode(torch.as_tensor(np.array(value))), "kind": kind}
    if isinstance(value, torch.nn.Module):  # as its numbers; it comes back as these
        return encode(dict(value.state_dict()), depth - 1)
    if isinstance(value, torch.Tensor):
        raw = save({"x": value.detach().cpu().clone(memory_format=torch.contiguous_format)})
        return {"kind": "tensor", "items": base64.b64encode(raw).decode("ascii")}
    for plain in (int, float, str):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, list):
        return [encode(item, depth - 1) for item in value]
    if isinstance(value, tuple | set | frozenset):
        kind = "tuple" if isinstance(value, tuple) else "set"
        return {"kind": kind, "items": [encode(item, depth - 1) for item in value]}
    if isinstance(value, dict):
        return {"kind": "dict", "items": [encode(pair, depth - 1) for pair in value.items()]}
    raise TypeError(f"an answer of type {type(value).__name__}, which cannot be handed in")


def decode(data: Any, depth: int = DEPTH) -> Any:
    """The value that JSON holds; the sender may have put anything there.

    Raises:
        Exception: it is not what `encode` writes, or a tensor without elements.
    """
    if depth == 0:
        raise ValueError("nested too deep")
    if data is None or type(data) in (bool, int, float, str):
        return data
    if type(data) is list:
        return [decode(item, depth - 1) for item in data]
    kind, items = data["kind"], data["items"]
    if kind in ("tensor", "array", "scalar"):
        tensor = load(base64.b64decode(items, validate=True))["x"]
        if not tensor.numel():  # it would equal everything, element by element
            raise ValueError("it has no elements")
        if kind == "tensor":
            return tensor
        return tensor.numpy() if kind == "array" else tensor.numpy()[()]
    return {"tuple": tuple, "set": set, "dict": dict}[kind](
        decode(item, depth - 1) for item in items
    )
