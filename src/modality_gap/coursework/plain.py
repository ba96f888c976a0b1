"""Plain data across the wire: JSON, and arrays as bytes. What is read back is a value, never code.

Kept: None, truth values, numbers, text, lists, tuples, sets, dictionaries, tensors and arrays of
numbers, at any depth up to 20; of a PyTorch module, its state.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import torch

DTYPES = (
    *("bool", "uint8", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)
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
        kind = "scalar" if isinstance(value, np.generic) else "array"
        if value.dtype.kind not in "biufc":
            raise TypeError(f"an array of {value.dtype}; numbers are expected")
        return {**encode(torch.as_tensor(np.array(value))), "kind": kind}
    if isinstance(value, torch.nn.Module):  # as its numbers; it comes back as these
        return encode(dict(value.state_dict()), depth - 1)
    if isinstance(value, torch.Tensor):
        flat = value.detach().cpu().resolve_conj().contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        return {
            "kind": "tensor",
            "dtype": str(value.dtype).removeprefix("torch."),
            "shape": list(value.shape),
            "bytes": base64.b64encode(raw).decode("ascii"),
        }
    for plain in (int, float, str):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, complex):
        return {"kind": "complex", "items": [value.real, value.imag]}
    if isinstance(value, list):
        return [encode(item, depth - 1) for item in value]
    if isinstance(value, tuple | set | frozenset):
        kind = "tuple" if isinstance(value, tuple) else "set"
        return {"kind": kind, "items": [encode(item, depth - 1) for item in value]}
    if isinstance(value, dict):
        pairs = [[encode(key, depth - 1), encode(item, depth - 1)] for key, item in value.items()]
        return {"kind": "dict", "items": pairs}
    raise TypeError(f"an answer of type {type(value).__name__}, which cannot be handed in")


def decode(data: Any, depth: int = DEPTH) -> Any:
    """The value that JSON holds; the sender may have put anything there.

    Raises:
        ValueError: it is not what `encode` writes.
    """
    if depth == 0:
        raise ValueError("nested too deep")
    if data is None or type(data) in (bool, int, float, str):
        return data
    if type(data) is list:
        return [decode(item, depth - 1) for item in data]
    if type(data) is not dict:
        raise ValueError("no plain data")
    kind, items = data.get("kind"), data.get("items")
    if kind in ("tensor", "array", "scalar"):
        tensor = _tensor(data.get("dtype"), data.get("shape"), data.get("bytes"))
        if kind == "tensor":
            return tensor
        return tensor.numpy() if kind == "array" else tensor.numpy()[()]
    if type(items) is not list:
        raise ValueError("no plain data")
    values = [decode(item, depth - 1) for item in items]
    try:
        if kind == "complex":
            return complex(*values)
        return {"tuple": tuple, "set": set, "dict": dict}[kind](values)  # type: ignore[index]
    except (TypeError, KeyError) as error:
        raise ValueError("no plain data") from error


def _tensor(dtype: Any, shape: Any, raw: Any) -> torch.Tensor:
    """A tensor of these bytes, if they fit."""
    if dtype not in DTYPES or type(shape) is not list or type(raw) is not str:
        raise ValueError("no tensor")
    if len(shape) > DEPTH or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise ValueError("no shape")
    kind, payload = getattr(torch, dtype), base64.b64decode(raw, validate=True)
    if len(payload) != math.prod(shape) * kind.itemsize:
        raise ValueError("shape and bytes differ")
    if not payload:  # it would equal everything, element by element
        raise ValueError("it has no elements")
    return torch.frombuffer(bytearray(payload), dtype=kind).reshape(shape)
