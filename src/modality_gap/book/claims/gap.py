"""Claims of Liang et al. (2022): the modality gap, and the cone effect before training."""

from __future__ import annotations

from functools import partial
from math import inf

from .claim import EXACT, MG, POSITIVE, Claim, near

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
LIANG_GAP = (
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
)
