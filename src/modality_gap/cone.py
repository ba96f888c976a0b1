"""The cone effect: random networks layer by layer, and their infinite-width theory."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from .checks import check_number, check_positive, check_whole
from .sphere import mean_cosine, normalize

Activation = Literal["linear", "tanh", "sigmoid", "relu", "leaky_relu", "gelu"]

LARGEST = 1 << 30  # width and depth

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "linear": nn.Identity,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
}


class RandomLayer(nn.Module):
    """activation(W h + b), optionally after a normalisation and optionally added to h."""

    def __init__(
        self,
        width: int,
        activation: Activation,
        *,
        scale: float,
        bias: bool,
        residual: bool,
        norm: nn.Module,
        generator: torch.Generator,
    ) -> None:
        """Draw weights and bias from N(0, scale^2)."""
        super().__init__()
        self.norm = norm
        # skip_init: nn.Linear would draw its default weights from the global generator.
        self.linear = nn.utils.skip_init(nn.Linear, width, width, bias=bias)
        self.activation = ACTIVATIONS[activation]()
        self.residual = residual
        with torch.no_grad():
            for parameter in self.linear.parameters():
                parameter.normal_(0, scale, generator=generator)

    def forward(self, h: Tensor) -> Tensor:
        """Shape (N, width) to (N, width)."""
        out = self.activation(self.linear(self.norm(h)))
        return h + out if self.residual else out


def random_mlp(
    width: int,
    depth: int,
    activation: Activation = "relu",
    *,
    scale: float | None = None,
    bias: bool = True,
    residual: bool = False,
    layer_norm: bool = False,
    batch_norm: bool = False,
    seed: int = 0,
) -> nn.Sequential:
    """A square network at random initialisation: `depth` layers of shape (width, width).

    Args:
        width, depth: both at least 1.
        activation: "linear", "tanh", "sigmoid", "relu", "leaky_relu" (slope 0.01) or "gelu".
        scale: standard deviation of weights and biases; 1 / sqrt(width) if None.
        bias: whether the layers have one.
        residual: add each layer's input to its output.
        layer_norm: normalise each layer's input over its coordinates.
        batch_norm: normalise each coordinate of a layer's input over the batch. That takes
            training mode; in evaluation mode the running statistics of a network that has never
            been trained, mean 0 and variance 1, change nothing.
        seed: of the weights; the global generator is left alone.

    Returns:
        The layers, in order, in evaluation mode and without gradients.

    Raises:
        ValueError: unknown activation, width, depth or scale not positive, or both normalisations.

    Source: Liang et al. (2022), Fig. 2b.

    >>> len(mg.random_mlp(width=8, depth=3))
    3
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {sorted(ACTIVATIONS)}, got {activation!r}")
    width, depth = check_whole(width, "width", 1, LARGEST), check_whole(depth, "depth", 1, LARGEST)
    if scale is not None:
        check_positive(scale, "scale")
    if layer_norm and batch_norm:
        raise ValueError("layer_norm, batch_norm: expected one of them, got both")
    # A stream of its own: inputs drawn from the same seed must not repeat the weights.
    stream = np.random.SeedSequence([seed, 0xC0DE]).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(stream[0] >> 1))
    layers = [
        RandomLayer(
            width,
            activation,
            scale=1 / math.sqrt(width) if scale is None else scale,
            bias=bias,
            residual=residual,
            norm=_norm(width, layer_norm, batch_norm),
            generator=generator,
        )
        for _ in range(depth)
    ]
    return nn.Sequential(*layers).eval().requires_grad_(False)


def _norm(width: int, layer_norm: bool, batch_norm: bool) -> nn.Module:
    if layer_norm:
        return nn.LayerNorm(width, elementwise_affine=False)
    return nn.BatchNorm1d(width, affine=False) if batch_norm else nn.Identity()


def layerwise_cosine(
    layers: Iterable[nn.Module], inputs: Tensor, *, training: bool = False
) -> Tensor:
    """Mean pairwise cosine of the activations after each layer, the diagonal excluded.

    Including the diagonal, as Fig. 2b of the source does, turns a mean c over N inputs into
    c + (1 - c) / N.

    Args:
        layers: modules applied one after another, such as `random_mlp(...)`; L of them.
            Copies are run, so their mode and their running statistics stay as they are.
        inputs: shape (N, D), N >= 2; need not be of unit length.
        training: the mode. False, evaluation: BatchNorm uses its running statistics, which at
            initialisation do nothing. True, training: it uses the mean and variance of these
            inputs, as in the first step of training.

    Returns:
        Shape (L + 1,): the cosine of the inputs, then that after every layer.

    Raises:
        ValueError: inputs is not a floating matrix of at least two rows, or a row of it or of an
            activation is zero or not finite.

    Source: Liang et al. (2022), section 2.2, Fig. 2b.

    >>> network = mg.random_mlp(width=64, depth=2)
    >>> mg.layerwise_cosine(network, torch.eye(64)).shape
    torch.Size([3])
    """
    with torch.no_grad():
        cosines = [mean_cosine(normalize(inputs))]
        for layer in layers:
            inputs = copy.deepcopy(layer).train(training)(inputs)
            cosines.append(mean_cosine(normalize(inputs)))
    return torch.stack(cosines)


def relu_cosine_recursion(depth: int, width: int = 512, *, cosine: float = 0.0) -> Tensor:
    """Cosine of two inputs after each layer of an infinitely wide random ReLU network.

    For layers relu(W h + b) with W, b ~ N(0, 1 / width) and inputs of squared length `width`, as
    N(0, I) has: with q = ||h||^2 and c = <h, h'>, the pre-activations have variance
    K = (q + 1) / width and correlation rho = (c + 1) / (q + 1), and then
    q <- width K / 2, c <- width K (sqrt(1 - rho^2) + rho (pi - arccos rho)) / (2 pi).

    Args:
        depth: number of layers, at least 1.
        width: sets how large biases are beside the signal, at least 1.
        cosine: of the two inputs, in [-1, 1]; 0 for independent Gaussian inputs.

    Returns:
        Shape (depth + 1,), float64: the cosine of the inputs, then that after every layer.

    Raises:
        ValueError: depth or width below 1, or cosine outside [-1, 1].

    Source: the arc-cosine kernel of Cho & Saul (2009), applied to Liang et al. (2022), Fig. 2b.

    >>> mg.relu_cosine_recursion(depth=2)
    tensor([0.0000, 0.3193, 0.4959], dtype=torch.float64)
    """
    depth, width = check_whole(depth, "depth", 1, LARGEST), check_whole(width, "width", 1, LARGEST)
    if not -1 <= check_number(cosine, "cosine") <= 1:
        raise ValueError(f"cosine: expected a number from -1 to 1, got {cosine}")
    q, c, cosines = float(width), width * cosine, [cosine]
    for _ in range(depth):
        variance, rho = (q + 1) / width, min((c + 1) / (q + 1), 1.0)
        q = width * variance / 2
        angle_part = math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho))
        c = width * variance * angle_part / (2 * math.pi)
        cosines.append(c / q)
    return torch.tensor(cosines, dtype=torch.float64)
