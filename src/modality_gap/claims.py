"""The claims of three papers that the book touches, and the band for each of our numbers.

The list behind `ledger`. A band is what our number must fall into for the claim to count as
reproduced. It follows from the statement and from what a finite sample allows; where neither
fixes a width, it is the margin that the chapter asserts. Where the papers state a direction in
words, the number is one that says whether the direction holds, and the band is the side on which
it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import inf, ulp

WI = "wang2020understanding"
MG = "liang2022mind"
TE = "schrodi2025two"
PAPERS = {WI: "Wang & Isola (2020)", MG: "Liang et al. (2022)", TE: "Schrodi et al. (2025)"}

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One number of one claim.

    Attributes:
        id: unique; what a chapter gives to `ledger.record`.
        item: what belongs together, such as "MG Fig. 2b"; it heads a group of rows.
        paper: key in the book's list of references.
        where: figure, table, theorem or section of the paper.
        claim: the statement, in the book's words.
        quantity: which number is measured.
        stated: what the paper says of it.
        chapter: the chapter that measures or quotes it.
        figure: label of the figure that shows it ("fig-…"), of an equation ("eq-…"), or empty.
        band: for "reproduced"; both ends belong to it.
        direction: a condition that every direction value must meet, whatever the band says. It
            holds for the values themselves, unless `direction_quantity` names another number.
        direction_quantity: the other number, recorded beside the values.
        each: the band is for every value instead of their mean.
        over: what there is one value of, in the plural.

    A claim without a band and without a direction is only quoted.
    """

    id: str
    item: str
    paper: str
    where: str
    claim: str
    quantity: str
    stated: str
    chapter: str
    figure: str = ""
    band: Interval | None = None
    direction: Interval | None = None
    direction_quantity: str = ""
    each: bool = False
    over: str = "seeds"

    @property
    def quoted(self) -> bool:
        """Whether the claim is quoted and nothing was measured."""
        return self.band is None and self.direction is None


FALLS: Interval = (-1, -0.8)  # Spearman's rank correlation
RISES: Interval = (0.8, 1)
POSITIVE: Interval = (ulp(0), inf)
NEGATIVE: Interval = (-inf, -ulp(0))
EXACT: Interval = (0, 1e-12)  # float64
COLLAPSED: Interval = (0.95, 1.001)  # exp(uniformity), 1 at a single point


def _near(value: float, width: float) -> Interval:
    """A band around a value, without the digits that rounding adds."""
    return round(value - width, 10), round(value + width, 10)


# Wang & Isola, contrastive learning as alignment and uniformity

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

_WANG_ISOLA = (
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
            band=_near(stated, 1e-6),
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

# Liang et al., the modality gap

_mg = partial(Claim, paper=MG)
_fig2a = partial(
    _mg,
    item="MG Fig. 2a",
    where="Fig. 2a",
    claim="Embeddings of one encoder lie in a narrow cone, trained or not, on data or on noise.",
    chapter="04_cone_effect",
    figure="fig-cone-towers",
)
_fig2b = partial(
    _mg,
    item="MG Fig. 2b",
    where="Fig. 2b",
    claim="Each layer of a random network narrows the cone: mean cosine of 1,024 Gaussian inputs, "
    "25 layers of width 512, diagonal included.",
    chapter="04_cone_effect",
    figure="fig-cone-depth",
)
_two_units = partial(
    _mg,
    item="MG two units",
    where="a sigmoid network of width two, reference run",
    claim="Four layers of two sigmoid units map the plane to a narrow cone.",
    band=(-3.0, 3.0),
    each=True,
    over="layers",
    chapter="04_cone_effect",
    figure="fig-cone-seed-statistics",
)
_theorem1 = partial(
    _mg,
    item="MG Theorem 1",
    where="Theorem 1",
    claim="One random ReLU layer narrows the angle of two vectors with probability 1 − O(1/d) if "
    "their cosine is below (½(r + 1/r))⁻¹, with r the ratio of their lengths.",
    each=True,
    over="cosines",
    chapter="04_cone_effect",
    figure="fig-cone-theorem",
)
_theorem2 = partial(
    _mg,
    item="MG Theorem 2",
    where="Theorem 2",
    claim="If unit inputs of a random layer have total variance 1 − β, the draw of the weights "
    "accounts for a share of at least β of an output's variance.",
    stated="at least 0",
    band=(0, inf),
    each=True,
    over="values of β",
    chapter="05_random_initialisation",
    figure="fig-seed-share",
)
_fig2c = partial(
    _mg,
    item="MG Fig. 2c",
    where="Fig. 2c",
    claim="Twenty-five random initialisations make 25 separate cones.",
    chapter="05_random_initialisation",
)
_fig3b = partial(
    _mg,
    item="MG Fig. 3b–d",
    where="Fig. 3b–d",
    chapter="06_moving_the_gap",
    figure="fig-landscape",
)
_monotone = partial(
    _fig3b,
    claim="The larger the temperature, the smaller the best gap: 0.82, 0.60, 0.60, 0.35, 0.20, "
    "0.08 at 1/τ = 100, 50, 30, 20, 10, 1, read off plots.",
    stated="falls",
    band=NEGATIVE,
    figure="fig-best-gap",
)
_shift = partial(
    _mg,
    item="MG shift",
    where="embedding shift",
    claim="Both sides are moved along the gap and made unit again. In units of the gap the shift "
    "is α; in the paper's code it is δ = 2α‖Δ‖. At α = ½ the means meet.",
    stated="a formula",
    band=EXACT,
    chapter="06_moving_the_gap",
    figure="eq-shift",
)
_terms = partial(
    _mg,
    item="MG numerator and denominator",
    where="the two terms of the loss",
    each=True,
    over="models",
    chapter="06_moving_the_gap",
    figure="fig-two-terms",
)
_six = partial(
    _mg,
    item="MG Fig. 3e–g",
    where="Fig. 3e–g, six pairs on a sphere",
    chapter="06_moving_the_gap",
    figure="fig-six-pairs",
)
_start = partial(
    _mg,
    item="MG §4.4",
    where="§4.4",
    quantity="L2M, τ = 0.01, k = 3: larger relative distance of the two means from those stated",
    band=(0, 0.25),
    direction=POSITIVE,
    direction_quantity="second less first",
    chapter="07_temperature",
    figure="fig-temperature-starts",
)
_supplement = partial(
    _mg,
    item="MG Supplement 8",
    where="Supplement 8",
    claim="Fine-tuned at a larger fixed temperature, a model ends with a smaller gap: 1.0006, "
    "0.7961, 0.6352, 0.5524, 0.3028, 0.2384 at τ = 1/100, 1/50, 1/30, 1/20, 1/10, 1.",
    direction=(-1.0, -0.643),  # one-sided 5 % level of eight values
    direction_quantity="rank correlation of τ and gap over eight temperatures",
    chapter="07_temperature",
    figure="fig-temperature-gap",
)
_zero_shot = partial(
    _mg,
    item="MG Table 1",
    where="Table 1",
    claim="Moving the gap improves zero-shot accuracy.",
    chapter="06_moving_the_gap",
)

_ONE_KAPPA = (
    "With one mismatched pair the gap acts as a temperature: the loss depends on κ = cos θ / τ "
    "alone, and has its minimum at one κ."
)
_RELU_COSINES = {  # layer: (stated, band)
    1: ("0.3195", (0.3179, 0.3219)),
    2: ("0.4943", (0.479, 0.522)),
    5: ("0.7541", (0.717, 0.774)),
    10: ("0.9477", (0.945, 0.955)),
    25: ("0.999997", (0.99999, 1.0)),
}
_OTHER_COSINES = {  # (activation, name, layer): band
    ("sigmoid", "sigmoid", 1): (0.8514, 0.8538),
    ("sigmoid", "sigmoid", 2): (0.9906, 0.9916),
    ("leaky_relu", "LeakyReLU", 1): (0.3115, 0.3155),
    ("tanh", "tanh", 25): (0.51, 0.68),
    ("linear", "linear", 25): (0.03, 0.07),
}
_SPHERE_LOSSES = {1: 1.547743, 5: 1.095220, 35: 0.886648, 50: 1.083448, 100: 2.014244}

_LIANG = (
    _mg(
        id="mg-fig1",
        item="MG Fig. 1",
        where="Fig. 1",
        claim="Images and texts form two separate clouds in CLIP, VideoCLIP, ConVIRT and CLASP, "
        "trained and at random weights.",
        quantity="held-out accuracy of a hyperplane",
        stated="in a picture",
        band=(1, 1),
        each=True,
        over="sets",
        chapter="03_modality_gap",
        figure="fig-clouds-trained",
    ),
    _mg(
        id="mg-gap-coco",
        item="MG gap",
        quantity="‖Δ‖, ViT-B/32, 5,000 pairs",
        where="definition of the gap",
        claim="The gap is the difference of the means, Δ; its length in CLIP ViT-B/32 on 5,000 "
        "pairs of COCO was measured. (The published file is a ViT-B/16 on 500 pairs.)",
        stated="0.82",
        chapter="03_modality_gap",
    ),
    _mg(
        id="mg-gap",
        item="MG gap",
        where="definition of the gap",
        claim="The gap is the difference of the means, Δ; its length in CLIP ViT-B/32 on 5,000 "
        "pairs of COCO was measured. (The published file is a ViT-B/16 on 500 pairs.)",
        quantity="‖Δ‖ of constructed clouds: distance from the gap they were made with",
        stated="a formula",
        band=EXACT,
        chapter="03_modality_gap",
        figure="eq-gap-tighter",
    ),
    _fig2a(
        id="mg-fig2a-trained",
        quantity="mean cosine of trained ResNet-18, ViT-B/32, text transformer on COCO (smallest)",
        stated="0.556, 0.468, 0.508 (0.232, 0.053, 0.010)",
    ),
    _fig2a(
        id="mg-fig2a-random",
        quantity="the same three at random weights, on COCO",
        stated="0.993, 0.717, 0.672",
    ),
    *(
        _fig2a(
            id=f"mg-fig2a-{tower}",
            quantity=f"{name} at random weights, on noise",
            stated=f"{stated}",
            band=_near(stated, width),
            each=True,
        )
        for tower, name, stated, width in (
            ("resnet18", "ResNet-18", 0.999, 0.003),
            ("vit", "ViT-B/32", 0.937, 0.05),
            ("text", "text transformer", 0.411, 0.1),
        )
    ),
    *(
        _fig2b(
            id=f"mg-fig2b-relu-{layer}", quantity=f"ReLU, layer {layer}", stated=stated, band=band
        )
        for layer, (stated, band) in _RELU_COSINES.items()
    ),
    *(
        _fig2b(
            id=f"mg-fig2b-{activation}-{layer}",
            quantity=f"{name}, layer {layer}",
            stated="a curve",
            band=band,
        )
        for (activation, name, layer), band in _OTHER_COSINES.items()
    ),
    _mg(
        id="mg-infinite-width",
        item="MG infinite width",
        where="Fig. 2b, limit of infinite width",
        claim="At infinite width the mean cosine of a ReLU network follows a two-line recursion.",
        quantity="largest distance from the reference, layers 1 to 5 and 10",
        stated="0.3193, 0.4959, 0.6089, 0.6880, 0.7480; 0.9502",
        band=(0, 1e-3),
        chapter="04_cone_effect",
        figure="fig-cone-depth",
    ),
    _two_units(
        id="mg-two-units-cosine",
        quantity="mean cosine over 200 draws: distance from the reference, in standard errors",
        stated="0.909, 0.9930, 0.99948, 0.99995",
    ),
    _two_units(
        id="mg-two-units-deviation",
        quantity="standard deviation of a coordinate: distance from the reference, in standard "
        "errors",
        stated="0.199, 0.0466, 0.0106, 0.0026",
    ),
    _theorem1(
        id="mg-theorem1-frequency",
        quantity="frequency of a narrower angle at width 1,024, r = 3",
        stated="tends to 1",
        band=(0.99, 1),
    ),
    _theorem1(
        id="mg-theorem1-rise",
        quantity="that frequency less the one at width 4",
        stated="rises with the width",
        band=POSITIVE,
    ),
    _theorem2(
        id="mg-theorem2-linear",
        quantity="linear layer: share less three standard errors, less β",
    ),
    _theorem2(
        id="mg-theorem2-relu",
        quantity="ReLU layer: share less three standard errors, less β",
    ),
    _fig2c(
        id="mg-fig2c-named",
        quantity="accuracy of naming the seed from one held-out embedding, layer 5",
        stated="in a picture",
        band=(0.99, 1),
        figure="fig-seed-clusters",
    ),
    _fig2c(
        id="mg-fig2c-drop",
        quantity="position of the largest drop of the singular values, less K − 1, for K = 5, 10 "
        "and 25 networks",
        stated="0 (24 of 25)",
        band=(0, 0),
        each=True,
        over="values of K",
        figure="fig-seed-spectrum",
    ),
    _fig3b(
        id="mg-fig3b-default",
        claim="At CLIP's temperature of 0.01 its own gap is the minimum of the loss along the "
        "shift, and closing it raises the loss.",
        quantity="best shift α of CLIP at τ = 0.01",
        stated="0",
        band=(-0.02, 0.02),
    ),
    _fig3b(
        id="mg-fig3b-closing",
        claim="At CLIP's temperature of 0.01 its own gap is the minimum of the loss along the "
        "shift, and closing it raises the loss.",
        quantity="rise of CLIP's loss from α = 0 to ½, nats",
        stated="in a picture",
        band=POSITIVE,
    ),
    _fig3b(
        id="mg-fig3b-warm",
        claim="At τ = 1 the best gap is about zero.",
        quantity="best distance of CLIP's means at τ = 1",
        stated="0.08, on a coarse grid",
        band=(-0.1, 0.1),
        figure="fig-best-gap",
    ),
    _monotone(
        id="mg-fig3b-monotone-clip",
        quantity="largest change of the best distance from one τ to the next larger, CLIP",
    ),
    _monotone(id="mg-fig3b-monotone-ours", quantity="the same, our model with k = 3"),
    _monotone(
        id="mg-fig3b-monotone-all",
        quantity="the same, each of our models, k = 0 to 5",
        each=True,
        over="models",
    ),
    _monotone(
        id="mg-fig3b-grid",
        quantity="largest distance of CLIP's six values on the paper's grid from those stated",
        stated="0",
        band=(0, 0.125),  # half a step of the paper's grid
    ),
    _shift(id="mg-shift-delta", quantity="largest distance between the two parametrisations"),
    _shift(
        id="mg-shift-meet",
        quantity="distance of the means at α = ½, before rows are made unit again",
    ),
    _terms(
        id="mg-terms-cold",
        claim="Closing the gap at τ = 0.01, the numerator gains less than the denominator loses.",
        quantity="loss at α = ½ less loss at 0, image to text, τ = 0.01, CLIP and ours",
        stated="above 0",
        band=POSITIVE,
    ),
    _terms(
        id="mg-terms-warm",
        claim="At τ = 1 it is the reverse.",
        quantity="the same at τ = 1",
        stated="below 0",
        band=NEGATIVE,
    ),
    _six(
        id="mg-six-kappa",
        claim=_ONE_KAPPA,
        quantity="κ at the minimum",
        stated="21.21584",
        band=(21.215835, 21.215845),
    ),
    _six(
        id="mg-six-loss",
        claim=_ONE_KAPPA,
        quantity="loss there",
        stated="0.8095150939",
        band=_near(0.8095150939, 1e-6),
    ),
    _six(
        id="mg-six-alone",
        claim=_ONE_KAPPA,
        quantity="largest distance of the loss of the pairs from a function of κ",
        stated="0",
        band=(0, 1e-6),
        figure="eq-kappa",
    ),
    *(
        _six(
            id=f"mg-six-{inverse}",
            claim="The loss of the six pairs without a gap.",
            quantity=f"loss at θ = 0, 1/τ = {inverse}",
            stated=f"{stated:.6f}",
            band=_near(stated, 1e-6),
        )
        for inverse, stated in _SPHERE_LOSSES.items()
    ),
    _six(
        id="mg-six-pole",
        claim="At the pole all texts are alike.",
        quantity="loss at θ = ±90°",
        stated="log 6",
        band=_near(1.791759, 1e-6),
    ),
    _six(
        id="mg-six-matched",
        claim="Without a mismatched pair no temperature asks for a gap.",
        quantity="best θ in degrees, no swap",
        stated="0",
        band=(0, 0),
        each=True,
        over="temperatures",
    ),
    _start(
        id="mg-start-opens",
        claim="Training opens a gap from a start without one.",
        stated="0.0388 → 0.7457",
    ),
    _start(
        id="mg-start-grows",
        claim="From the usual start training widens the gap.",
        stated="1.1891 → 1.2991",
    ),
    _start(
        id="mg-start-remembered",
        claim="The usual start ends with a larger gap than the start without one.",
        stated="0.7457 and 1.2991",
    ),
    *(
        _supplement(
            id=f"mg-supplement8-l2m-{k}",
            quantity=f"L2M, k = {k}: largest relative distance of the means from those stated, "
            "at the five temperatures in common",
            stated="0",
            band=(0, 0.25),
        )
        for k in (0, 3, 5)
    ),
    *(
        _supplement(
            id=f"mg-supplement8-rmg-{k}",
            quantity=f"RMG, k = {k}: rank correlation of τ and RMG over eight temperatures",
            stated="not given",
            direction_quantity="",
        )
        for k in (0, 3, 5)
    ),
    _zero_shot(
        id="mg-table1",
        quantity="CIFAR10, CIFAR100, EuroSAT, SVHN, HatefulMemes",
        stated="0.9013 → 0.9081, 0.6658 → 0.6737, 0.5410 → 0.5645, 0.5389 → 0.5396, "
        "0.5800 → 0.5811",
        figure="fig-moved-accuracy",
    ),
    *(
        _zero_shot(
            id=f"mg-table1-{kind}",
            quantity=f"change in points, {name}, our models, shift chosen on other handwriting",
            stated="0.07 to 2.35 points",
            band=POSITIVE,
            over="draws of prompts",
            figure="fig-moved-accuracy",
        )
        for kind, name in (("digit", "digit"), ("attributes", "attributes"))
    ),
    _mg(
        id="mg-table2",
        item="MG Table 2",
        where="Table 2",
        claim="Moving the images alone changes the fairness of a classifier on FairFace.",
        quantity="L2M before and after",
        stated="0.82 → 0.97",
        chapter="06_moving_the_gap",
    ),
)

# Schrodi et al., information imbalance

_WORDS = "in words; numbers not found"
_te = partial(Claim, paper=TE)
_sizes = partial(_te, where="definitions of the gap", stated="a formula", band=EXACT)
_moad = partial(
    _te,
    item="TE MOAD",
    where="definition of MOAD",
    claim="MOAD is the cosine that sharing the object adds, less the mean of what sharing an "
    "attribute adds: 0 without a bias, positive with a bias towards the object.",
    chapter="09_object_bias",
)
_few = partial(
    _te,
    item="TE few dimensions",
    where="few dimensions carry the gap",
    stated=_WORDS,
    each=True,
    chapter="03_modality_gap",
    figure="fig-gap-dimensions",
)
_most = partial(
    _few,
    claim="In trained models the few largest dimensions hold most of the squared gap.",
    band=(0.5, 1),
    direction=(2, inf),
    direction_quantity="that share over the 97.5 % quantile of random directions",
)
_without = partial(
    _te,
    item="TE ablation",
    where="removing those dimensions",
    claim="Without those dimensions the gap is smaller and retrieval hardly worse.",
    stated=_WORDS,
    chapter="03_modality_gap",
    figure="fig-gap-removed",
)
_fig7_te = partial(_te, item="TE Fig. 7", where="Fig. 7a,b", stated=_WORDS)
_gap_falls = partial(
    _fig7_te,
    claim="With the images fixed, the gap shrinks as captions name more attributes.",
    band=FALLS,
    each=True,
    chapter="08_information_imbalance",
    figure="fig-imbalance-gap",
)
_bias_falls = partial(
    _fig7_te,
    claim="With the images fixed, the object bias shrinks as captions name more attributes.",
    band=FALLS,
    each=True,
    over="runs",
    chapter="09_object_bias",
    figure="fig-bias-k",
)
_accuracy_rises = partial(
    _fig7_te,
    claim="With the images fixed, attributes are recognised better as captions name more of them.",
    band=RISES,
    each=True,
)
_information = partial(
    _te,
    item="TE exact information",
    where="closed form for the data set",
    claim="With uniform factors image and caption share log₂ 10 + k · 7.39232 / 5 bits.",
    band=(0, 5e-5),  # half of the last digit stated
    chapter="08_information_imbalance",
    figure="fig-imbalance-bars",
)
_fig8 = partial(
    _te,
    item="TE Fig. 8",
    where="Fig. 8",
    stated=_WORDS,
    each=True,
    chapter="08_information_imbalance",
)
_uncertain = partial(
    _fig8,
    claim="A model that cannot change its temperature answers more uncertainty with a larger gap.",
    band=POSITIVE,
    over="runs",
    figure="fig-imbalance-frozen",
)
_softer = partial(
    _fig8,
    claim="A larger gap means a softmax of higher entropy.",
    band=POSITIVE,
    figure="fig-imbalance-shift",
)

_SCHRODI = (
    _sizes(
        id="te-l2m",
        item="TE L2M and L2I",
        claim="L2M is the distance of the means, L2I the mean distance of the pairs.",
        quantity="L2M: distance of formula and package",
        chapter="03_modality_gap",
        figure="eq-gap-l2m",
    ),
    _sizes(
        id="te-l2i",
        item="TE L2M and L2I",
        claim="L2M is the distance of the means, L2I the mean distance of the pairs.",
        quantity="L2I: distance of formula and package",
        chapter="03_modality_gap",
        figure="eq-gap-l2m",
    ),
    _sizes(
        id="te-rmg",
        item="TE RMG",
        claim="RMG is the mean distance of the pairs over itself plus the mean distance within "
        "the modalities, with d = (1 − cos)/2, diagonals left out.",
        quantity="constructed clouds: distance from the closed form",
        chapter="03_modality_gap",
        figure="eq-gap-tighter",
    ),
    _moad(
        id="te-moad",
        quantity="distance of sums over classes and of pair by pair",
        stated="a formula",
        band=EXACT,
        figure="eq-bias-moad",
    ),
    _moad(
        id="te-moad-known",
        quantity="distance from the bias that constructed embeddings were made with, 1,000 labels",
        stated="0 without a bias",
        band=(-0.01, 0.01),
        each=True,
        over="embeddings",
        figure="fig-bias-known",
    ),
    _most(id="te-few-clip", quantity="share of the two largest, CLIP", over="models"),
    _most(
        id="te-few-others",
        quantity="share of the two largest, VideoCLIP, CLASP and ConVIRT",
        over="models",
    ),
    _most(
        id="te-few-ours",
        quantity="share of the two largest, our model with k = 3",
        over="models",
    ),
    _few(
        id="te-few-random",
        claim="At random weights the gap is diffuse.",
        quantity="share of the two largest over the 97.5 % quantile of random directions, five "
        "random models",
        band=(0, 1.1),
        over="models",
    ),
    _without(
        id="te-without-gap",
        quantity="CLIP's L2M without the two largest dimensions, over L2M with them",
        band=(0, 0.95),
    ),
    _without(
        id="te-without-recall",
        quantity="CLIP's recall at 1 without them, over recall with them, both directions",
        band=(0.9, 1.1),
        each=True,
        over="directions",
    ),
    _te(
        id="te-mad",
        item="TE MAD",
        where="the data set MAD",
        claim="Digits of three thicknesses, with or without a swelling and a fracture, in two "
        "sizes and seven colours. (The authors' training code is not public; ours is made anew "
        "from other digits, with other amounts.)",
        quantity="shapes a digit comes in, colour aside",
        stated="24",
        band=(24, 24),
        chapter="02_clip",
        figure="fig-mad-contact",
    ),
    _gap_falls(id="te-fig7-rmg", quantity="rank correlation of k and RMG, k = 0 to 5"),
    _gap_falls(id="te-fig7-rmg-named", quantity="the same, k = 1 to 5"),
    _gap_falls(
        id="te-fig7-rmg-fall",
        quantity="RMG at k = 1 less RMG at k = 5",
        band=(0.1, 1),
    ),
    _gap_falls(
        id="te-fig7-rmg-cold",
        quantity="rank correlation of k and RMG, k = 1 to 5, τ learned from 0.02 instead of 0.07",
    ),
    _gap_falls(id="te-fig7-l2m", quantity="rank correlation of k and L2M, k = 1 to 5"),
    _gap_falls(
        id="te-fig7-l2m-cold",
        quantity="rank correlation of k and L2M, k = 1 to 5, τ learned from 0.02",
    ),
    _bias_falls(
        id="te-fig7-moad-image",
        quantity="rank correlation of k and MOAD of images, k = 0 to 5, τ learned from 0.07 and "
        "0.02",
    ),
    _bias_falls(
        id="te-fig7-moad-text",
        quantity="the same of texts",
    ),
    _accuracy_rises(
        id="te-fig7-accuracy",
        quantity="rank correlation of k and zero-shot accuracy of attributes, k = 0 to 5",
        chapter="08_information_imbalance",
        figure="fig-imbalance-measures",
    ),
    _accuracy_rises(
        id="te-fig7-probe",
        quantity="rank correlation of k and accuracy of linear probes for attributes, k = 0 to 4",
        over="runs",
        chapter="09_object_bias",
        figure="fig-bias-probes",
    ),
    _fig7_te(
        id="te-fig7-closes",
        claim="The loss can close an initially large gap once the information is shared.",
        quantity="final L2M over L2M at the start, k = 5, τ learned from 0.07 and 0.02",
        band=(0, 0.2),
        each=True,
        over="runs",
        chapter="08_information_imbalance",
        figure="fig-imbalance-training",
    ),
    _information(
        id="te-information-shared",
        quantity="I(X;Y), k = 0 to 5: largest distance from the bits stated",
        stated="3.3219, 4.8004, 6.2789, 7.7573, 9.2358, 10.7142",
    ),
    _information(
        id="te-information-surplus",
        quantity="H(X|Y), k = 0 to 5: largest distance from the bits stated",
        stated="7.3923, 5.9139, 4.4354, 2.9569, 1.4785, 0",
    ),
    _te(
        id="te-fig6",
        item="TE Fig. 6",
        where="Fig. 6",
        claim="The bias follows whichever factor every caption names.",
        quantity="cosine that sharing the named factor adds, less the mean of the other five",
        stated=_WORDS,
        band=POSITIVE,
        each=True,
        over="runs",
        chapter="09_object_bias",
        figure="fig-bias-moves",
    ),
    _softer(
        id="te-fig8-clip",
        quantity="fall of CLIP's entropy from α = −½ to 0 and from 0 to ½",
        over="steps",
    ),
    _softer(
        id="te-fig8-ours",
        quantity="fall of our models' entropy from α = 0 to ½, k = 0 to 5",
        over="models",
    ),
    _uncertain(
        id="te-fig8-three",
        quantity="L2M at k = 3 less L2M at k = 5, τ frozen at 0.01, 0.02, 0.05, 0.1",
    ),
    _uncertain(
        id="te-fig8-zero",
        quantity="L2M at k = 0 less L2M at k = 3, the same",
    ),
    _uncertain(
        id="te-fig8-texts",
        claim="It does so by moving images away from all texts.",
        quantity="distance to all captions but its own at k = 0 less that at k = 5, τ frozen at "
        "0.01",
        over="seeds",
    ),
    _te(
        id="te-tables",
        item="TE Tables 1–5",
        where="Tables 1–5",
        claim="Their numbers were not found in a public source, so none is quoted.",
        quantity="all",
        stated="not found",
        chapter="08_information_imbalance",
    ),
)

CLAIMS: tuple[Claim, ...] = (*_WANG_ISOLA, *_LIANG, *_SCHRODI)
