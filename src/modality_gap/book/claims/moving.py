"""Claims of Liang et al. (2022): the gap moved by hand, temperature and training."""

from __future__ import annotations

from functools import partial

from .claim import EXACT, MG, NEGATIVE, POSITIVE, Claim, near

_mg = partial(Claim, paper=MG)
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
_SPHERE_LOSSES = {1: 1.547743, 5: 1.095220, 35: 0.886648, 50: 1.083448, 100: 2.014244}

LIANG_MOVED = (
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
