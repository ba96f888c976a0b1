"""Your own pairs, embedded by any open_clip model."""

from __future__ import annotations

import datetime
import difflib
import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .. import storage
from ..checks import check_owner
from ..sphere import normalize
from ..torchvision_fix import import_open_clip
from .named import PATIENCE, Embeddings, store
from .reading import Picture, Tokenize, count_cut, read_picture

if TYPE_CHECKING:
    from PIL import Image

OWN_WEIGHTS = ("hf-hub:", "local-dir:")  # model names that say where the weights are
SEED = 0  # of random weights


@dataclass(frozen=True)
class Encoder:
    """An open_clip model, with what turns a picture and captions into what it reads."""

    model: Any
    preprocess: Callable[[Image.Image], Tensor]
    tokenize: Tokenize
    name: str
    weights: str


def encode_pairs(
    model: str | nn.Module,
    images: Sequence[Picture],
    captions: Sequence[str],
    *,
    owner: Sequence[int] | None = None,
    pretrained: str | Path | None = None,
    out: str | Path | None = None,
    batch_size: int = 32,
) -> Embeddings:
    """Embed pairs of images and captions with an open_clip model, a batch at a time.

    Images are turned upright, made RGB of 8 bits, resized and normalised as the model's own
    evaluation does; those of 16 bits and floating ones keep their greys. A warning counts the
    captions that are longer than the model reads. A model given by name runs on a GPU if there is
    one; a model given as an object, where it is.

    Args:
        model: the name of an open_clip model, such as "ViT-B-32" or "hf-hub:OWNER/MODEL"; or an
            open_clip model, such as `random_clip("ViT-B-32")`, with weights in float32.
        images: paths or PIL images, N >= 2 of them.
        captions: row i is that of image i, or of image owner[i].
        owner: for several captions an image: of each caption the row of its image, from 0 on. Each
            image is given, and encoded, once.
        pretrained: weights of a model given by name: one of open_clip's tags, such as "openai",
            or a checkpoint file (.pt, .safetensors); None: random weights of seed 0, or those
            that "hf-hub:" or "local-dir:" names.
        out: a .safetensors file to write, `~` is your home; `load_embeddings` reads it.
        batch_size: pairs that the model sees at once; it changes nothing but speed, memory and
            the last bits.

    Returns:
        Unit embeddings, x of the images and y of the captions.

    Raises:
        ValueError: an image that is missing or cannot be read, or a caption that is not text, with
            its row; images and captions differ in number without an owner, or owner names no image;
            or no such model, tag or checkpoint.
        ImportError: open_clip is not installed; the message says how to install it.
        ConnectionError: weights have to be downloaded, and their server cannot be reached.
        OSError: `out` cannot be written; known before anything is encoded.

    >>> x, y = mg.encode_pairs(  # doctest: +SKIP
    ...     "ViT-B-32", ["cat.jpg", "dog.jpg"], ["a cat", "a dog"], pretrained="openai"
    ... )
    """
    encoder, places = prepare(model, images, captions, owner, pretrained, out, batch_size)
    tell_cut(encoder, captions)
    # As lists, because a pandas Series knows its rows by label, not by place.
    x = encode_images(encoder, list(images), batch_size)
    y = encode_captions(encoder, list(captions), batch_size)
    embeddings = described(encoder, normalize(x), normalize(y), places)
    if out is not None:
        store(Path(out).expanduser(), embeddings, today())
    return embeddings


def prepare(
    model: str | nn.Module,
    images: Sequence[Picture],
    captions: Sequence[str],
    owner: Sequence[int] | None,
    pretrained: str | Path | None,
    out: str | Path | None,
    batch_size: int,
) -> tuple[Encoder, Tensor | None]:
    """The encoder and the owner, after everything that can be checked before encoding."""
    import_open_clip()
    places = _check_pairs(images, captions, owner)
    out = None if out is None else Path(out).expanduser()
    if out is not None and out.suffix != ".safetensors":
        raise ValueError(f"out: expected a path that ends in .safetensors, got {str(out)!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    if out is not None:
        storage.check_writable(out)
    if isinstance(model, str):
        return _from_name(model, pretrained), places
    return _from_model(model, pretrained), places


def described(encoder: Encoder, x: Tensor, y: Tensor, owner: Tensor | None) -> Embeddings:
    """Encoded pairs with where they come from."""
    used = storage.versions()
    return Embeddings(
        x,
        y,
        encoder.name,
        f"open_clip's {encoder.name}, {encoder.weights}",
        f"{len(x):,} images and {'' if owner is None else f'{len(y):,} '}captions given to "
        "encode_pairs",
        f"encode_pairs of modality_gap {used['modality_gap']}, open_clip {used['open_clip']}",
        "that of the weights and of the pairs",
        owner,
    )


def today() -> dict[str, Any]:
    """What a file says of when and by what it was made."""
    return {"date": datetime.date.today().isoformat(), "versions": storage.versions()}


def _check_pairs(
    images: Sequence[Picture], captions: Sequence[str], owner: Sequence[int] | None
) -> Tensor | None:
    """The owner as a tensor; ValueError unless images and captions are what they should be."""
    from PIL import Image

    for name, value in {"images": images, "captions": captions}.items():
        ordered = hasattr(value, "__len__") and hasattr(value, "__getitem__")
        if isinstance(value, str | Path | Image.Image) or not ordered:
            raise ValueError(f"{name}: expected a list, got {type(value).__name__}")
    if len(images) < 2 or (owner is None and len(images) != len(captions)):
        each = len(captions) / max(1, len(images))
        several = "; owner = [row of its image for each caption] pairs several captions with one"
        raise ValueError(
            "images, captions: expected as many of the one as of the other, and at least 2; "
            f"got {len(images)} and {len(captions)}{several if each > 1 else ''}"
        )
    for row, image in enumerate(images):
        if not isinstance(image, str | Path | Image.Image):
            raise ValueError(
                f"images: row {row}: expected a path or a PIL image, got {type(image).__name__}"
            )
        if not isinstance(image, Image.Image) and not os.path.isfile(image):
            raise ValueError(f"images: row {row}: there is no file {str(image)!r}")
    for row, caption in enumerate(captions):
        if not isinstance(caption, str) or not caption.strip():
            several = ""
            if isinstance(caption, list | tuple):
                several = (
                    "; give all captions in one list, and owner = [i for i, of_image in "
                    "enumerate(captions) for _ in of_image]"
                )
            raise ValueError(f"captions: row {row}: expected a text, got {caption!r}{several}")
    return None if owner is None else check_owner(owner, len(images), len(captions))


def tell_cut(encoder: Encoder, captions: Sequence[str]) -> None:
    """Warn once of captions that are longer than the model reads."""
    cut = count_cut(encoder.tokenize, list(captions))
    if cut:
        warnings.warn(
            f"captions: {cut:,} of {len(captions):,} are longer than the "
            f"{encoder.tokenize(['a']).shape[1]} tokens that the model reads; their ends are cut "
            "off and change nothing",
            stacklevel=3,
        )


def encode_images(
    encoder: Encoder, images: Sequence[Picture], batch_size: int, first: int = 0
) -> Tensor:
    """Embeddings as the model gives them, float64 on the CPU; `first` is the row of the first."""
    return _encode(
        encoder,
        list(enumerate(images, first)),
        batch_size,
        "images",
        lambda batch: torch.stack([encoder.preprocess(read_picture(i, row)) for row, i in batch]),
        encoder.model.encode_image,
    )


def encode_captions(
    encoder: Encoder, captions: Sequence[str], batch_size: int, first: int = 0
) -> Tensor:
    """As `encode_images`."""
    tokenize, texts = encoder.tokenize, list(captions)
    return _encode(encoder, texts, batch_size, "captions", tokenize, encoder.model.encode_text)


def _encode(
    encoder: Encoder,
    items: Sequence[Any],
    batch_size: int,
    word: str,
    read: Callable[[list[Any]], Tensor],
    encode: Callable[[Tensor], Tensor],
) -> Tensor:
    device = next(encoder.model.parameters()).device
    rows = []
    bar = tqdm(total=len(items), desc=f"Encoding {word}", leave=False)
    with _evaluating(encoder.model), torch.no_grad(), bar:
        for start in range(0, len(items), batch_size):
            batch = list(items[start : start + batch_size])
            rows.append(encode(read(batch).to(device)).double().cpu())
            bar.update(len(batch))
    return torch.cat(rows)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, then every module's mode as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _from_model(model: object, pretrained: str | Path | None) -> Encoder:
    import open_clip

    if pretrained is not None:
        raise ValueError("pretrained: a model given as an object has its weights; leave it out")
    if not isinstance(model, nn.Module) or not all(
        hasattr(model, name) for name in ("visual", "encode_image", "encode_text")
    ):
        kind = type(model).__name__
        raise ValueError(f"model: expected an open_clip model or the name of one, got {kind}")
    if any(weights.dtype != torch.float32 for weights in model.parameters()):
        raise ValueError("model: expected weights in float32; model.float() makes them so")
    text = open_clip.get_model_tokenize_cfg(model)
    tokenizer = open_clip.SimpleTokenizer(context_length=text.get("context_length"))
    if text.get("vocab_size") != tokenizer.vocab_size:
        raise ValueError(
            f"model: its text tower has a vocabulary of {text.get('vocab_size')} tokens, not the "
            f"{tokenizer.vocab_size} of open_clip's standard tokenizer; give the name of an "
            "open_clip model instead, which says what tokenizer it needs"
        )
    name = type(model).__name__
    return Encoder(model, _preprocess(model), tokenizer, name, "given as an object")


def _from_name(name: str, pretrained: str | Path | None) -> Encoder:
    import open_clip

    own = name.startswith(OWN_WEIGHTS)
    if own and pretrained is not None:
        raise ValueError(f"pretrained: {name!r} says where its weights are; leave it out")
    if not own:
        name = name.replace("/", "-")  # open_clip takes both
    if not own and name not in open_clip.list_models():
        known = {each.lower(): each for each in open_clip.list_models()}
        near = difflib.get_close_matches(name.lower(), known, 3, 0.75)
        hint = f"did you mean {', '.join(repr(known[each]) for each in near)}? " if near else ""
        raise ValueError(
            f"model: open_clip has no model {name!r}; open_clip.list_models() names all; {hint}"
            "'hf-hub:OWNER/MODEL' names one on the Hugging Face Hub, 'local-dir:FOLDER' one on disk"
        )
    tag = pretrained is not None and open_clip.is_pretrained_cfg(name, str(pretrained))
    if pretrained is not None and not tag and not Path(pretrained).is_file():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ValueError(
            f"pretrained: {str(pretrained)!r} is neither a file nor a tag of {name!r}; its tags "
            f"are {tags}"
        )
    local = name.startswith("local-dir:") or (pretrained is not None and not tag)
    try:
        with _offline():
            model, tokenize = _make(name, pretrained)
    except Exception as error:  # a damaged checkpoint raises anything
        if local:
            raise _refusal(name, pretrained, error) from error
        _check_hub(name)
        try:
            model, tokenize = _make(name, pretrained)
        except Exception as again:
            raise _refusal(name, pretrained, again) from again
    model.eval().requires_grad_(False)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    if own:
        weights = "with the weights that the name says"
    elif pretrained is None:
        weights = f"random weights, seed {SEED}"
    elif tag:
        weights = f"weights {str(pretrained)!r}"
    else:
        import pooch

        sha256 = pooch.file_hash(str(pretrained))
        weights = f"weights of {Path(pretrained).name}, SHA-256 {sha256}"
    return Encoder(model, _preprocess(model), tokenize, name, weights)


def _make(name: str, pretrained: str | Path | None) -> tuple[nn.Module, Tokenize]:
    """open_clip's model and tokenizer."""
    import open_clip

    weights = None if pretrained is None else str(pretrained)
    settings = open_clip.get_pretrained_cfg(name, weights) if weights else {}
    with _quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        tokenize = open_clip.get_tokenizer(name)
        # It unpickles nothing but weights: a checkpoint that would run code is refused.
        model = open_clip.create_model(
            name,
            weights,
            # A name may have another activation than the tag's weights were trained with.
            force_quick_gelu=bool(settings.get("quick_gelu")),
            require_pretrained=weights is not None or name.startswith(OWN_WEIGHTS),
            pretrained_hf=False,
        )
    return model, tokenize


def _refusal(name: str, pretrained: str | Path | None, error: Exception) -> ValueError:
    weights = "" if pretrained is None else f" with weights {str(pretrained)!r}"
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return ValueError(f"model: open_clip cannot make {name!r}{weights}: {reason}")


@contextmanager
def _offline() -> Iterator[None]:
    """The Hugging Face client takes what is on this machine, or says at once that it is not."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _check_hub(name: str) -> None:
    """Raise ConnectionError if the Hub is out of reach: its client would try again and again."""
    from huggingface_hub import constants

    place = urlsplit(constants.ENDPOINT)
    port = place.port or (443 if place.scheme == "https" else 80)
    try:
        socket.create_connection((place.hostname, port), timeout=PATIENCE).close()
    except OSError as error:
        raise ConnectionError(
            f"{name} needs files of {constants.ENDPOINT} that are not on this machine, and it "
            f"cannot be reached ({error}); connect to the network, or take 'ViT-B-32' with a "
            "checkpoint file as `pretrained`, or with random weights"
        ) from None


def _preprocess(model: nn.Module) -> Callable[[Image.Image], Tensor]:
    """The transform of the model's own evaluation."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    try:
        settings = open_clip.get_model_preprocess_cfg(model)
    except AttributeError:
        raise ValueError("model: its image tower does not say what image size it reads") from None
    return image_transform_v2(PreprocessCfg(**settings), is_train=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep open_clip's log, which goes to the root logger, off the page."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
