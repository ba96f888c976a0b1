import math

import pytest
import torch
from torch import Tensor, nn

import modality_gap as mg
from modality_gap.cone import ACTIVATIONS


def gaussian(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def published_cosine(activation: str, seeds: range, depth: int) -> Tensor:
    """Fig. 2b of Liang et al.: 1,024 inputs, the diagonal included; mean over the seeds."""
    runs = [
        mg.layerwise_cosine(
            mg.random_mlp(512, depth, activation, seed=seed), gaussian(1024, 512, seed)
        )
        for seed in seeds
    ]
    cosine = torch.stack(runs).mean(dim=0)
    return cosine + (1 - cosine) / 1024


@pytest.mark.parametrize(
    ("activation", "layer", "low", "high"),
    [
        ("relu", 1, 0.3179, 0.3219),
        ("relu", 2, 0.479, 0.522),
        ("relu", 5, 0.717, 0.774),
        ("relu", 10, 0.945, 0.955),
        ("sigmoid", 1, 0.8514, 0.8538),
        ("sigmoid", 2, 0.9906, 0.9916),
        ("leaky_relu", 1, 0.3115, 0.3155),
        ("tanh", 25, 0.51, 0.68),
        ("linear", 25, 0.03, 0.07),
    ],
)
def test_published_cosines(activation: str, layer: int, low: float, high: float) -> None:
    assert low <= published_cosine(activation, range(4), layer)[layer] <= high


def test_deep_relu_network_is_a_needle() -> None:
    assert published_cosine("relu", range(1), 25)[25] > 0.99999


def test_same_seed_for_weights_and_inputs_leaves_them_independent() -> None:
    """Were the weights the inputs' own numbers, the first ReLU layer would give about 0.21."""
    first = mg.layerwise_cosine(mg.random_mlp(512, 1, seed=0), gaussian(1024, 512, 0))[1]
    assert first == pytest.approx(1 / math.pi, abs=0.01)


def test_recursion_gives_the_published_values() -> None:
    cosine = mg.relu_cosine_recursion(10)
    published = [0.3193, 0.4959, 0.6089, 0.6880, 0.7480]
    assert cosine[1:6].tolist() == pytest.approx(published, abs=1e-4)
    assert cosine[10].item() == pytest.approx(0.9502, abs=1e-4)
    assert cosine.shape == (11,)
    assert cosine[0] == 0


def test_recursion_without_bias_is_the_arc_cosine_kernel() -> None:
    """With infinite width the bias vanishes beside the signal: 1 / pi for orthogonal inputs."""
    assert mg.relu_cosine_recursion(1, 10**9)[1].item() == pytest.approx(1 / math.pi, abs=1e-6)


def test_recursion_is_monotone_and_keeps_equal_inputs_equal() -> None:
    for start in (-1.0, -0.3, 0.0, 0.7):
        assert (mg.relu_cosine_recursion(30, cosine=start).diff() > 0).all()
    assert mg.relu_cosine_recursion(5, cosine=1.0).tolist() == pytest.approx([1] * 6)


def test_wide_network_follows_the_recursion() -> None:
    measured = mg.layerwise_cosine(mg.random_mlp(2048, 4), gaussian(128, 2048))
    theory = mg.relu_cosine_recursion(4, 2048).float()
    torch.testing.assert_close(measured, theory, atol=0.02, rtol=0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_layers_compute_what_they_say(activation: str) -> None:
    inputs = gaussian(3, 8)
    layer = mg.random_mlp(8, 1, activation, residual=True, layer_norm=True, seed=4)[0]
    centred = inputs - inputs.mean(1, keepdim=True)
    normed = centred / (centred.pow(2).mean(1, keepdim=True) + 1e-5).sqrt()
    function = ACTIVATIONS[activation]()
    expected = inputs + function(normed @ layer.linear.weight.T + layer.linear.bias)
    torch.testing.assert_close(layer(inputs), expected)


def test_batch_norm_normalises_over_the_batch_in_training_mode_only() -> None:
    inputs, layer = gaussian(5, 8), mg.random_mlp(8, 1, batch_norm=True, seed=4)[0]
    assert not layer.training
    plain = torch.relu(inputs @ layer.linear.weight.T + layer.linear.bias)
    torch.testing.assert_close(layer(inputs), plain, rtol=1e-4, atol=1e-4)
    normed = (inputs - inputs.mean(0)) / (inputs.var(0, correction=0) + 1e-5).sqrt()
    expected = torch.relu(normed @ layer.linear.weight.T + layer.linear.bias)
    torch.testing.assert_close(layer.train()(inputs), expected)


def test_batch_statistics_stop_the_cone_and_running_ones_do_not() -> None:
    layers, inputs = mg.random_mlp(512, 10, batch_norm=True), gaussian(256, 512)
    before = {name: value.clone() for name, value in layers.state_dict().items()}
    evaluation = mg.layerwise_cosine(layers, inputs)
    torch.testing.assert_close(
        evaluation, mg.layerwise_cosine(mg.random_mlp(512, 10), inputs), rtol=0, atol=1e-3
    )
    training = mg.layerwise_cosine(layers, inputs, training=True)
    assert ((training[1:] - 1 / math.pi).abs() < 0.015).all()
    assert not any(module.training for module in layers.modules())
    for name, value in layers.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} was changed by measuring"
    torch.testing.assert_close(mg.layerwise_cosine(layers.train(), inputs), evaluation)
    assert layers.training


def test_weights_have_the_asked_scale_and_seed() -> None:
    for scale, expected in [(None, 256**-0.5), (0.7, 0.7)]:
        layer = mg.random_mlp(256, 1, scale=scale)[0].linear
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.02)
        assert layer.bias.std().item() == pytest.approx(expected, rel=0.2)
    before = torch.random.get_rng_state()
    first, again, other = (mg.random_mlp(4, 2, seed=s)[1].linear.weight for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert mg.random_mlp(4, 1, bias=False)[0].linear.bias is None


def test_layerwise_cosine_takes_any_modules() -> None:
    inputs = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    layers = [nn.Identity(), nn.Hardtanh(0.5, 1)]
    cosine = mg.layerwise_cosine(layers, inputs)
    assert cosine.tolist() == pytest.approx([0, 0, 0.8])


def test_random_clip_follows_its_seed_and_encodes_unit_rows() -> None:
    before = torch.random.get_rng_state()
    model, again = mg.random_clip("ViT-S-32-alt", 3), mg.random_clip("ViT-S-32-alt", 3)
    assert torch.equal(torch.random.get_rng_state(), before)
    images = gaussian(3, 3 * 224 * 224).view(3, 3, 224, 224)
    embeddings = mg.encode(model.encode_image, images, batch_size=2)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(embeddings, mg.encode(again.encode_image, images))
    assert not model.training


def test_random_clip_in_training_mode_sees_its_batch() -> None:
    """RN50 has BatchNorm: statistics of the batch widen the cone."""
    images = gaussian(4, 3 * 224 * 224).view(4, 3, 224, 224)
    images = nn.functional.interpolate(images[..., :7, :7], size=224, mode="bilinear")
    cosines = {}
    for training in (False, True):
        model = mg.random_clip("RN50", training=training)
        assert model.training == training
        cosines[training] = mg.mean_cosine(mg.encode(model.encode_image, images))
    assert cosines[False] > 0.98
    assert cosines[True] < 0.95


def test_bad_arguments() -> None:
    cases = [
        (lambda: mg.random_mlp(4, 2, "swish"), "activation: expected one of .*'swish'"),
        (lambda: mg.random_mlp(0, 2), "width: .*whole number from 1 .*got 0"),
        (lambda: mg.random_mlp(2.5, 2), "width: .*whole number .*got 2.5"),
        (lambda: mg.random_mlp(4, 0), "depth: .*got 0"),
        (lambda: mg.random_mlp(4, 2, scale=-1), "scale: .*above 0, got -1"),
        (
            lambda: mg.random_mlp(4, 2, layer_norm=True, batch_norm=True),
            "layer_norm, batch_norm: expected one",
        ),
        (lambda: mg.relu_cosine_recursion(0), "depth"),
        (lambda: mg.relu_cosine_recursion("a", 2), "depth: .*got 'a'"),
        (lambda: mg.relu_cosine_recursion(3, cosine=1.1), "cosine: .*1.1"),
        (lambda: mg.layerwise_cosine([], gaussian(1, 4)), "x: expected at least 2"),
        (lambda: mg.random_clip("ViT-B-33"), "name: open_clip has no model 'ViT-B-33'"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
