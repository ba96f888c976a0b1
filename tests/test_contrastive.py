import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap import sums

TEMPERATURES = st.floats(0.01, 10)


def plain_info_nce(x: Tensor, y: Tensor, temperature: float) -> dict[str, float]:
    logits, partner = x @ y.T / temperature, torch.arange(len(x))
    forward = cross_entropy(logits, partner).item()
    backward = cross_entropy(logits.T, partner).item()
    return {
        "both": (forward + backward) / 2,
        "image_to_text": forward,
        "text_to_image": backward,
    }


def pairs(seed: int = 0, n: int = 13) -> tuple[Tensor, Tensor]:
    return unit_rows(n, 5, seed), unit_rows(n, 5, seed + 1)


@pytest.mark.parametrize("side", [1, 5, 2048])
@pytest.mark.parametrize("temperature", [0.01, 0.07, 1])
def test_blocks_agree_with_cross_entropy(
    side: int, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "SIDE", side)
    x, y = pairs()
    for direction, expected in plain_info_nce(x, y, temperature).items():
        assert mg.info_nce(x, y, temperature, direction).item() == pytest.approx(
            expected, abs=1e-10
        )
    p = torch.softmax(x @ y.T / temperature, dim=1)
    assert mg.softmax_entropy(x, y, temperature).item() == pytest.approx(
        torch.special.entr(p).sum(1).mean().item(), abs=1e-10
    )


@pytest.mark.parametrize("side", [4, 2048])
def test_gradients_pass_gradcheck(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "SIDE", side)
    x, y = (rows.requires_grad_() for rows in pairs(n=6))
    temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    for function in (mg.info_nce, mg.info_nce_terms, mg.softmax_entropy):
        assert torch.autograd.gradcheck(function, (x, y, temperature))


@given(SEEDS, TEMPERATURES)
def test_terms_add_up_to_the_loss(seed: int, temperature: float) -> None:
    x, y = pairs(seed)
    numerator, denominator = mg.info_nce_terms(x, y, temperature)
    assert numerator.item() == pytest.approx(
        -(mg.paired_cosine(x, y) / temperature).item(), abs=1e-9
    )
    assert (numerator + denominator).item() == pytest.approx(
        mg.info_nce(x, y, temperature, "image_to_text").item(), abs=1e-10
    )


@given(SEEDS, TEMPERATURES)
def test_symmetries(seed: int, temperature: float) -> None:
    x, y = pairs(seed)
    loss = mg.info_nce(x, y, temperature).item()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    turn = rotation(5, seed)
    for a, b in [(y, x), (x[order], y[order]), (x @ turn, y @ turn)]:
        assert mg.info_nce(a, b, temperature).item() == pytest.approx(loss, abs=1e-10)
    assert mg.info_nce(x, y, temperature, "text_to_image").item() == pytest.approx(
        mg.info_nce(y, x, temperature, "image_to_text").item(), abs=1e-10
    )


def test_closed_form_of_orthogonal_pairs() -> None:
    x = torch.eye(6, dtype=torch.float64)
    for temperature in (0.1, 1.0):
        row = math.exp(1 / temperature) + 5
        assert mg.info_nce(x, x, temperature).item() == pytest.approx(
            math.log(row) - 1 / temperature, abs=1e-12
        )
        p, q = math.exp(1 / temperature) / row, 1 / row
        assert mg.softmax_entropy(x, x, temperature).item() == pytest.approx(
            -p * math.log(p) - 5 * q * math.log(q), abs=1e-12
        )


def test_collapsed_embeddings_cost_log_n() -> None:
    x = unit_rows(1, 4).repeat(7, 1)
    assert mg.info_nce(x, x, 0.01).item() == pytest.approx(math.log(7), abs=1e-10)
    assert mg.softmax_entropy(x, x, 0.01).item() == pytest.approx(math.log(7), abs=1e-10)


@pytest.mark.parametrize("polar", [0.0, 60.0])
@pytest.mark.parametrize(
    ("inverse_temperature", "published"),
    [(1, 1.547743), (5, 1.095220), (35, 0.886648), (50, 1.083448), (100, 2.014244)],
)
def test_six_pairs_on_the_sphere(
    inverse_temperature: float, published: float, polar: float
) -> None:
    """Liang et al., Fig. 3e-g: the loss depends on cos(theta) / tau alone."""
    longitude = torch.deg2rad(torch.arange(-20, 81, 20, dtype=torch.float64))
    theta = math.radians(polar / 2)

    def ring(angles: Tensor, latitude: float) -> Tensor:
        return torch.stack(
            [
                angles.cos() * math.cos(latitude),
                angles.sin() * math.cos(latitude),
                torch.full_like(angles, math.sin(latitude)),
            ],
            dim=1,
        )

    x, y = ring(longitude, theta), ring(longitude[[1, 0, 2, 3, 4, 5]], -theta)
    if polar == 0:
        loss = mg.info_nce(x, y, 1 / inverse_temperature).item()
        assert loss == pytest.approx(published, abs=1e-6)
    else:
        # Both rings at latitude theta: s_ij = cos^2(theta) cos(dphi) - sin^2(theta), and the
        # constant cancels in the softmax.
        loss = mg.info_nce(x, y, math.cos(theta) ** 2 / inverse_temperature).item()
        assert loss == pytest.approx(published, abs=1e-6)


def test_bad_arguments() -> None:
    x, y = pairs()
    cases = [
        (lambda: mg.info_nce(x, y, 0), "temperature: .*above 0, got 0"),
        (lambda: mg.info_nce_terms(x, y, -1), "temperature: .*above 0"),
        (lambda: mg.softmax_entropy(x, y, math.nan), "temperature: .*above 0"),
        (lambda: mg.info_nce(x, y, torch.ones(2)), "temperature: expected one number"),
        (lambda: mg.info_nce(x, y, "cold"), "temperature: expected .* above 0, got 'cold'"),
        (lambda: mg.info_nce(x, y, 1, "sideways"), "direction: expected .*sideways"),
        (lambda: mg.info_nce(x, y[:5], 1), "y: expected the shape of x"),
        (lambda: mg.info_nce(x[:1], y[:1], 1), "x: expected at least 2 row"),
        (lambda: mg.softmax_entropy(x, 2 * y, 1), "y: row 0 has length 2"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


def test_a_temperature_that_no_cosine_survives_is_refused() -> None:
    x, y = pairs()
    for function in (mg.info_nce, mg.info_nce_terms, mg.softmax_entropy):
        with pytest.raises(ValueError, match=r"temperature: .* above 5"):
            function(x.float(), y.float(), 1e-40)
    assert torch.isfinite(mg.info_nce(x.float(), y.float(), 1e-37))
