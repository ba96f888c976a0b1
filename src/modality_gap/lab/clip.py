"""A small CLIP: open_clip's two towers at 28 x 28 pixels, tokens that are words, zero-shot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ..sphere import normalize
from ..torchvision_fix import import_open_clip
from .mad import ATTRIBUTES, FACTORS, WORDS, draw_captions

if TYPE_CHECKING:
    import open_clip

Model: TypeAlias = "open_clip.CustomTextCLIP"

IMAGE_ENCODERS = ("cnn", "vit")
DIMENSIONS = 64
# The longest caption is a digit, five attributes and the end mark.
CONTEXT_LENGTH = 2 + len(ATTRIBUTES)
BATCH = 500  # that is embedded at once
PROMPTS = 64  # for each value of a factor
PADDING, END = 0, len(WORDS) + 1
TEXT = {"width": 64, "heads": 4, "layers": 2, "mlp_ratio": 2.0}
VIT = {"patch_size": 7, "width": 64, "layers": 3, "head_width": 16, "mlp_ratio": 2.0}


def tokens_of(words: Tensor) -> Tensor:
    """Tokens of captions given as word numbers, shape (N, words) to (N, CONTEXT_LENGTH).

    Padding is 0, word i of `mad.WORDS` is i + 1, the end mark is the largest token: there
    open_clip reads off the embedding of the text.

    Raises:
        ValueError: too many words.
    """
    if words.shape[1] >= CONTEXT_LENGTH:
        raise ValueError(
            f"captions: expected at most {CONTEXT_LENGTH - 1} words, got {words.shape[1]}"
        )
    tokens = words.new_full((len(words), CONTEXT_LENGTH), PADDING)
    tokens[:, : words.shape[1]] = words + 1
    tokens[:, words.shape[1]] = END
    return tokens


class ConvolutionalTower(nn.Module):
    """Three convolutions with batch norm, 28 x 28 to 4 x 4 pixels, then a linear map."""

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        """Weights come from PyTorch's global generator."""
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(3, 16, stride=2),
            *_convolution(16, 32, stride=1),
            nn.MaxPool2d(2),
            *_convolution(32, 64, stride=2),
            nn.Flatten(),
        ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.proj = nn.Parameter(torch.randn(1024, dimensions) / math.sqrt(1024))

    def forward(self, images: Tensor) -> Tensor:
        """Images of shape (N, 3, 28, 28) to embeddings of shape (N, D)."""
        return self.layers(images.contiguous(memory_format=torch.channels_last)) @ self.proj


def _convolution(before: int, after: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(after), nn.ReLU()]


def build(
    image_encoder: str = "cnn",
    *,
    temperature: float = 0.07,
    shared: bool = False,
    seed: int = 0,
) -> Model:
    """A small CLIP at its random initialisation.

    Args:
        image_encoder: "cnn", three convolutions, or "vit", open_clip's vision transformer.
        temperature: where the temperature starts; `logit_scale` is the logarithm of its inverse.
        shared: the text encoder uses the last transformer blocks and the projection of "vit".
        seed: of the weights; the global generator is left alone.

    Returns:
        The model, with `encode_image(images, normalize=True)`, `encode_text(tokens,
        normalize=True)` and `logit_scale`, in training mode.

    Raises:
        ValueError: an image encoder that does not exist or has nothing to share, or a temperature
            that is not positive.
    """
    if image_encoder not in IMAGE_ENCODERS:
        raise ValueError(f"image_encoder: expected one of {IMAGE_ENCODERS}, got {image_encoder!r}")
    if shared and image_encoder != "vit":
        raise ValueError(f'shared: only "vit" has blocks to share, got {image_encoder!r}')
    if not temperature > 0:
        raise ValueError(f"temperature: expected a positive number, got {temperature}")
    import_open_clip()
    import open_clip  # takes seconds

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CustomTextCLIP(
            DIMENSIONS,
            {"image_size": 28, **VIT},
            {"context_length": CONTEXT_LENGTH, "vocab_size": END + 1, **TEXT},
            init_logit_scale=-math.log(temperature),
        )
        if image_encoder == "cnn":
            model.visual = ConvolutionalTower()
    if shared:
        blocks = model.visual.transformer.resblocks[-TEXT["layers"] :]
        model.text.transformer.resblocks = blocks
        model.text.text_projection = model.visual.proj
    return model


@torch.no_grad()
def embed_images(model: Model, images: Tensor) -> Tensor:
    """Unit embeddings of images, shape (N, 3, 28, 28) to (N, D), in evaluation mode."""
    model.eval()
    return normalize(torch.cat([model.encode_image(batch) for batch in images.split(BATCH)]))


@torch.no_grad()
def embed_texts(model: Model, tokens: Tensor) -> Tensor:
    """Unit embeddings of captions, tokens of shape (N, CONTEXT_LENGTH) to (N, D).

    A caption that occurs more than once is encoded once.
    """
    model.eval()
    different, place = tokens.unique(dim=0, return_inverse=True)
    embeddings = torch.cat([model.encode_text(batch) for batch in different.split(BATCH)])
    return normalize(embeddings)[place]


def draw_prompts(
    factor: str,
    rng: np.random.Generator,
    *,
    k: int,
    named: str = "digit",
    drawn_from: tuple[str, ...] | None = None,
) -> Tensor:
    """Captions that name each value of a factor, everything else in them at random.

    They have the form of the captions that the model was trained on, because a model knows words
    in that form best. Where such captions never name the factor, its word is added to them. The
    captions of two values differ in the factor's word alone, so that what else they say cancels.

    Args:
        factor: one of `mad.FACTORS`, with V values.
        rng: draws what else the captions say.
        k, named, drawn_from: the captions' form, as in `mad.draw_captions`.

    Returns:
        Word numbers, shape (V, PROMPTS, words in a caption).
    """
    sizes = [len(words) for words in FACTORS.values()]
    factors = torch.from_numpy(rng.integers(sizes, size=(PROMPTS, len(sizes))))
    factors[:, list(FACTORS).index(factor)] = 0
    own = WORDS.index(FACTORS[factor][0])
    if factor == named:
        words = draw_captions(factors, k, rng, named, drawn_from)
    else:
        rest = tuple(name for name in drawn_from or FACTORS if name not in (factor, named))
        others = draw_captions(factors, max(k, 1) - 1, rng, named, rest)
        all_words = torch.cat([others, others.new_full((PROMPTS, 1), own)], dim=1)
        words = torch.from_numpy(rng.permuted(all_words.numpy(), axis=1))
    values = torch.arange(len(FACTORS[factor]))[:, None, None]
    return words + values * (words == own)


def zero_shot_classifier(model: Model, prompts: Tensor) -> Tensor:
    """One direction for each value: the normalised mean embedding of its prompts.

    Args:
        model: with `encode_text`.
        prompts: word numbers, shape (V, prompts, words), as `draw_prompts` gives.

    Returns:
        Unit rows, shape (V, D). `(images @ rows.T).argmax(1)` classifies unit image embeddings.

    Source: prompt ensembling, Radford et al. (2021), section 3.1.4.
    """
    device = next(model.parameters()).device
    embeddings = embed_texts(model, tokens_of(prompts.flatten(0, 1)).to(device))
    return F.normalize(embeddings.view(*prompts.shape[:2], -1).mean(dim=1), dim=1)
