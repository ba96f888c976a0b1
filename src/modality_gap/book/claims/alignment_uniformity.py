"""Claims of Wang & Isola (2020): contrastive learning as alignment and uniformity."""

from __future__ import annotations

from functools import partial
from math import inf

from .claim import COLLAPSED, EXACT, NEGATIVE, POSITIVE, WI, Claim, near

_wi = partial(Claim, paper=WI, chapter="01_alignment_uniformity")
_definitions = partial(
    _wi,
    item="WI definitions",
    where="definitions",
    claim="Alignment is the mean of ‖x − y‖² over positive pairs, uniformity the logarithm of the "
    "mean of exp(−2‖x − x′‖²) over pairs of inputs; the loss is alignment plus λ times the "
    "mean uniformity of the two views.",
    stated="a formula",
    band=EXACT,
)
_range = partial(
    _wi,
    item="WI range of uniformity",
    where="the uniform distribution is optimal",
    claim="On the unit sphere in D dimensions uniformity lies between that of the uniform "
    "distribution, −2t + log ₀F₁(; D/2; t²), and 0.",
    figure="eq-range",
)
_fig3 = partial(_wi, item="WI Fig. 3", where="Fig. 3, encoders to the circle", figure="fig-circle")
_fig7 = partial(_wi, item="WI Fig. 7", where="Fig. 7", figure="fig-inverted-u")
_table1 = partial(
    _wi,
    item="WI Table 1",
    where="Table 1",
    claim="The direct sum of the two losses does as well as the contrastive loss.",
)

WANG_ISOLA = (
    _definitions(
        id="wi-align",
        quantity="alignment: distance from its closed form",
        figure="eq-align",
    ),
    _definitions(
        id="wi-uniform",
        quantity="uniformity: distance from its closed form",
        figure="eq-uniform",
    ),
    _definitions(
        id="wi-loss",
        quantity="their weighted sum: distance from its closed form",
        figure="eq-balance",
    ),
    *(
        _range(
            id=f"wi-range-{dimension}",
            quantity=f"lower end, t = 2, D = {dimension}",
            stated=f"{stated:.6f}".replace("-", "\N{MINUS SIGN}"),
            band=near(stated, 1e-6),
        )
        for dimension, stated in {
            2: -1.575027,
            3: -2.079777,
            128: -3.937530,
            512: -3.984375,
        }.items()
    ),
    _range(
        id="wi-range-top",
        quantity="upper end, all points at one place",
        stated="0",
        band=(-1e-6, 1e-6),
    ),
    _wi(
        id="wi-estimator",
        item="WI estimator",
        where="estimate from a batch",
        claim="The mean over pairs i ≠ j of a small batch can fall below the lower end of the "
        "range.",
        quantity="distance below the range less three standard errors, independent points, "
        "N = 4 and 8 on S¹ and S²",
        stated="in words",
        band=POSITIVE,
        each=True,
        over="cases",
        figure="fig-estimator",
    ),
    _wi(
        id="wi-theorem-1",
        item="WI Theorem 1",
        where="Theorem 1",
        claim="With M negatives the contrastive loss minus log M tends to an alignment term plus a "
        "uniformity term; the error is O(1/√M).",
        quantity="log–log slope of the error against M, on S¹",
        stated="at most −0.5",
        band=(-inf, -0.5),
        figure="fig-contrastive-limit",
    ),
    _fig3(
        id="wi-fig3-quoted",
        claim="A random encoder hardly classifies CIFAR-10 images on the circle.",
        quantity="accuracy at random weights",
        stated="12.71 %",
        figure="",
    ),
    _fig3(
        id="wi-fig3-untrained",
        claim="The contrastive encoder spreads its embeddings most.",
        quantity="uniformity of InfoNCE less that of an untrained encoder, S¹",
        stated="in a picture",
        band=NEGATIVE,
        each=True,
        figure="fig-trajectories",
    ),
    _fig3(
        id="wi-fig3-most",
        claim="The contrastive encoder spreads its embeddings most.",
        quantity="uniformity of InfoNCE less the lowest of the chapter's other four encoders, S¹",
        stated="in a picture",
        band=NEGATIVE,
        each=True,
        figure="fig-trajectories",
    ),
    _fig3(
        id="wi-fig3-collapse",
        claim="Alignment alone collapses.",
        quantity="exp(uniformity) with alignment alone, S¹",
        stated="1",
        band=COLLAPSED,
        each=True,
    ),
    _fig3(
        id="wi-fig3-spread",
        claim="Uniformity alone spreads the embeddings but mixes the classes.",
        quantity="uniformity with uniformity alone less that of an untrained encoder, S¹",
        stated="in words",
        band=NEGATIVE,
        each=True,
    ),
    _fig3(
        id="wi-fig3-mixed",
        claim="Uniformity alone spreads the embeddings but mixes the classes.",
        quantity="kNN accuracy with uniformity alone less that with both forces, S¹",
        stated="in words",
        band=NEGATIVE,
        each=True,
    ),
    *(
        _fig3(
            id=f"wi-fig3-balance-{dimension}",
            claim="The balance of both forces classifies best.",
            quantity="kNN accuracy with both forces less the best of untrained, alignment alone "
            f"and uniformity alone, {sphere}",
            stated="in words",
            band=POSITIVE,
            each=True,
            figure=figure,
        )
        for dimension, sphere, figure in ((2, "S¹", "fig-circle"), (3, "S²", "fig-sphere"))
    ),
    *(
        _fig7(
            id=f"wi-fig7-u-{dimension}",
            claim="Accuracy is an inverted U in the weights of the two losses.",
            quantity=f"kNN accuracy at the best weight less that at the better end, {sphere}",
            stated="in a picture",
            band=POSITIVE,
            each=True,
        )
        for dimension, sphere in ((2, "S¹"), (3, "S²"))
    ),
    _fig7(
        id="wi-fig7-collapse",
        claim="Where alignment weighs most the encoder collapses, exp(uniformity) = 1.",
        quantity="exp(uniformity) at λ = 1/32, S¹ and S²",
        stated="1",
        band=COLLAPSED,
        each=True,
        over="runs",
    ),
    _table1(
        id="wi-table1-contrastive",
        quantity="contrastive loss at τ = 0.19, STL-10: output and linear probe, output and five "
        "neighbours, fc7 and linear probe, fc7 and five neighbours",
        stated="80.46, 78.75, 83.89, 76.33 %",
    ),
    _table1(
        id="wi-table1-sum",
        quantity="0.98 alignment + 0.96 uniformity, the same four",
        stated="81.15, 78.89, 84.43, 76.78 %",
    ),
    _table1(
        id="wi-table1-digits",
        quantity="kNN accuracy of the sum (λ = 1) less that of InfoNCE, digits, S²",
        stated="above 0 on STL-10",
        band=POSITIVE,
        figure="fig-sphere",
    ),
)
