"""Claims of Schrodi et al. (2025): information imbalance."""

from __future__ import annotations

from functools import partial
from math import inf

from .claim import EXACT, FALLS, POSITIVE, RISES, TE, Claim

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

SCHRODI = (
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
