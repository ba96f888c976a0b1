import math

import numpy as np
import pytest
import torch

from modality_gap.lab import clip
from modality_gap.lab.mad import ATTRIBUTES, FACTORS, WORDS, caption_strings, draw_captions

SIZES = [len(words) for words in FACTORS.values()]


def random_factors(n: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(SIZES, size=(n, 6)))


@pytest.mark.parametrize("k", range(len(ATTRIBUTES) + 1))
def test_tokens_are_the_words_then_the_end_then_padding(k: int) -> None:
    words = draw_captions(random_factors(5), k, np.random.default_rng(0))
    tokens = clip.tokens_of(words)
    assert tokens.shape == (5, clip.CONTEXT_LENGTH)
    assert [[WORDS[token - 1] for token in row[: k + 1]] for row in tokens.tolist()] == [
        caption.split("-") for caption in caption_strings(words)
    ]
    assert tokens.argmax(dim=1).tolist() == [k + 1] * 5  # where open_clip reads the text off
    assert (tokens[:, k + 2 :] == clip.PADDING).all()


def test_a_caption_of_too_many_words_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 6"):
        clip.tokens_of(torch.zeros(1, 7, dtype=torch.long))


@pytest.mark.parametrize("image_encoder", clip.IMAGE_ENCODERS)
def test_both_towers_end_on_one_sphere(image_encoder: str) -> None:
    model = clip.build(image_encoder, temperature=0.05)
    x = clip.embed_images(model, torch.rand(3, 3, 28, 28))
    y = clip.embed_texts(model, clip.tokens_of(torch.tensor([[7, 20], [1, 21], [7, 20]])))
    assert x.shape == y.shape == (3, clip.DIMENSIONS)
    assert y[0].equal(y[2])
    torch.testing.assert_close(x.norm(dim=1), torch.ones(3))
    assert model.logit_scale.item() == pytest.approx(math.log(20))


def test_same_seed_same_weights_and_the_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    one, two, other = (clip.build(seed=seed).state_dict() for seed in (0, 0, 1))
    assert before.equal(torch.random.get_rng_state())
    assert all(one[name].equal(two[name]) for name in one)
    assert not one["visual.proj"].equal(other["visual.proj"])


def test_build_refuses_what_it_does_not_have() -> None:
    with pytest.raises(ValueError, match=r"image_encoder.*resnet"):
        clip.build("resnet")
    with pytest.raises(ValueError, match="temperature"):
        clip.build(temperature=0)
    with pytest.raises(ValueError, match=r"shared.*cnn"):
        clip.build("cnn", shared=True)


def test_shared_encoders_have_fewer_weights() -> None:
    apart, shared = (
        sum(weight.numel() for weight in clip.build("vit", shared=shared).parameters())
        for shared in (False, True)
    )
    block = 8 * 64**2 + 11 * 64  # matrices of attention and MLP; their biases and two norms
    assert apart - shared == 2 * block + 64**2


@pytest.mark.parametrize("named", ["digit", "colour"])
@pytest.mark.parametrize("drawn_from", [None, ("size", "fracture")])
@pytest.mark.parametrize("k", [0, 1, 2])
def test_prompts_have_the_form_of_the_captions(
    k: int, drawn_from: tuple[str, ...] | None, named: str
) -> None:
    rng = np.random.default_rng(0)
    allowed = {named, *(drawn_from or FACTORS)}
    for factor, values in FACTORS.items():
        prompts = clip.draw_prompts(factor, rng, k=k, named=named, drawn_from=drawn_from)
        assert prompts.shape[:2] == (len(values), clip.PROMPTS)
        assert prompts.shape[2] == (k + 1 if factor == named else max(k, 1) + 1)
        for value, captions in zip(values, prompts, strict=True):
            for caption in caption_strings(captions):
                words = caption.split("-")
                told = {f for f in FACTORS for word in words if word in FACTORS[f]}
                assert value in words
                assert len(told) == len(words)
                assert named in told
                assert told <= allowed | {factor}


def test_a_perfect_text_tower_classifies_perfectly() -> None:
    """Texts that are one-hot in the digit: the classifier's rows are the digits' axes."""

    class DigitsOnly(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
            digits = torch.arange(1, 11)
            return (tokens[:, :, None] == digits).any(dim=1).float()

    prompts = clip.draw_prompts("digit", np.random.default_rng(0), k=len(ATTRIBUTES))
    torch.testing.assert_close(clip.zero_shot_classifier(DigitsOnly(), prompts), torch.eye(10))


def test_the_classifier_is_the_mean_of_all_prompts() -> None:
    """Texts that are one-hot in their only word: each prompt has an axis of its own."""

    class OneHot(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1))

        def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(tokens[:, 0], 30).float()

    prompts = torch.tensor([[[1], [2]], [[3], [4]]])
    rows = clip.zero_shot_classifier(OneHot(), prompts)
    expected = torch.zeros(2, 30)
    expected[0, [2, 3]] = expected[1, [4, 5]] = 0.5**0.5
    torch.testing.assert_close(rows, expected)
