"""Claims of Liang et al. (2022): the modality gap."""

from __future__ import annotations

from functools import partial
from math import inf

from .claim import EXACT, MG, NEGATIVE, POSITIVE, Claim, near

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

LIANG = (
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
            band=near(stated, width),
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
        band=near(0.8095150939, 1e-6),
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
            band=near(stated, 1e-6),
        )
        for inverse, stated in _SPHERE_LOSSES.items()
    ),
    _six(
        id="mg-six-pole",
        claim="At the pole all texts are alike.",
        quantity="loss at θ = ±90°",
        stated="log 6",
        band=near(1.791759, 1e-6),
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
