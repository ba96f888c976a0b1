import math

import numpy as np
import pytest
import sklearn.cluster
import torch
from scipy.stats import skew
from sklearn.metrics import average_precision_score
from torch import Tensor

import modality_gap as mg
from helpers import rotation, unit_rows
from modality_gap import tasks
from modality_gap.ranking import InvertedSoftmax, ZPerKind


def noisy_pairs(n: int = 300, d: int = 6, noise: float = 0.5) -> tuple[Tensor, Tensor]:
    """More rows than one block of queries holds."""
    x = unit_rows(n, d)
    return x, mg.normalize(x + noise * unit_rows(n, d, 1))


def labels(n: int) -> Tensor:
    return torch.arange(n) % 4


# The pool of images and texts.


def plain_pool(x: Tensor, y: Tensor) -> Tensor:
    pool = torch.cat([x, y])
    return (pool @ pool.T).fill_diagonal_(-2)


def test_mixed_pool_is_the_plain_definition() -> None:
    x, y = noisy_pairs()
    similarity, n = plain_pool(x, y), len(x)
    partner = torch.cat([torch.arange(n) + n, torch.arange(n)])
    first = (similarity.argmax(1) == partner).double()
    wanted = (first[:n].mean().item(), first[n:].mean().item())
    assert tasks.mixed_recall(x, y) == pytest.approx(wanted)
    is_text = torch.arange(2 * n) >= n
    share = (is_text[similarity.topk(10).indices] != is_text[:, None]).double().mean()
    assert tasks.cross_modal_neighbours(x, y) == pytest.approx(share.item())
    both = torch.cat([labels(n), labels(n)])
    relevant, cosines = (both == both[:, None]).numpy(), similarity.numpy()
    scores = [
        average_precision_score(np.delete(relevant[i], i), np.delete(cosines[i], i))
        for i in range(2 * n)
    ]
    assert tasks.mixed_map(x, y, labels(n)) == pytest.approx(np.mean(scores))
    pool = torch.cat([x, y])
    assert tasks.mean_average_precision(pool, both) == pytest.approx(np.mean(scores))


def test_mixed_pool_where_the_answer_is_known() -> None:
    x = unit_rows(20, 8)
    assert tasks.mixed_recall(x, x) == (1, 1)
    one = torch.eye(8, dtype=torch.float64)[:1].expand(20, 8)
    assert tasks.mixed_recall(one, one) == pytest.approx((1 / 39, 1 / 39))
    # Opposite half spheres: nobody sees the other modality.
    x[:, 0] = x[:, 0].abs() + 3
    y = x.clone()
    y[:, 0] *= -1
    x, y = mg.normalize(x), mg.normalize(y)
    assert tasks.mixed_recall(x, y) == (0, 0)
    assert tasks.cross_modal_neighbours(x, y) == 0
    assert mg.recall_at_k(x, x) == (1, 1)
    assert tasks.mixed_map(x, y, torch.zeros(20)) == 1


def test_turned_and_swapped_pools_are_the_same() -> None:
    x, y = noisy_pairs()
    turn, group = rotation(6), labels(300)
    for a, b in ((x @ turn, y @ turn), (y, x)):
        assert sorted(tasks.mixed_recall(a, b)) == pytest.approx(sorted(tasks.mixed_recall(x, y)))
        assert tasks.cross_modal_neighbours(a, b) == pytest.approx(
            tasks.cross_modal_neighbours(x, y)
        )
        again = tasks.mixed_map(a, b, group)
        assert again == pytest.approx(tasks.mixed_map(x, y, group))


def test_scores_of_a_ranking_are_judged_as_cosines_are() -> None:
    """Of a pool with a gap: what calibration does to every judge is its plain definition."""
    x, y = noisy_pairs()
    up = 2 * torch.eye(6, dtype=torch.float64)[0]
    x, y = mg.normalize(x + up), mg.normalize(y - up)
    n, ranking = len(x), ZPerKind().fit(*noisy_pairs(50))
    scores = torch.cat([ranking.scores(x, "image", x, y), ranking.scores(y, "text", x, y)])
    scores.fill_diagonal_(-100)
    partner = torch.cat([torch.arange(n) + n, torch.arange(n)])
    first = (scores.argmax(1) == partner).double()
    wanted = (first[:n].mean().item(), first[n:].mean().item())
    assert tasks.mixed_recall(x, y, ranking) == pytest.approx(wanted)
    is_text = torch.arange(2 * n) >= n
    share = (is_text[scores.topk(10).indices] != is_text[:, None]).double().mean()
    assert tasks.cross_modal_neighbours(x, y, ranking) == pytest.approx(share.item())
    both = torch.cat([labels(n), labels(n)])
    relevant, values = (both == both[:, None]).numpy(), scores.numpy()
    precisions = [
        average_precision_score(np.delete(relevant[i], i), np.delete(values[i], i))
        for i in range(2 * n)
    ]
    assert tasks.mixed_map(x, y, labels(n), ranking) == pytest.approx(np.mean(precisions))


def test_a_ranking_that_knows_the_gap_finds_partners_beyond_it() -> None:
    x, y = noisy_pairs(noise=0.1)
    up = 2 * torch.eye(6, dtype=torch.float64)[0]
    x, y = mg.normalize(x + up), mg.normalize(y - up)
    assert max(tasks.mixed_recall(x, y)) == 0
    made = ZPerKind().fit(x[:100], y[:100])
    found, alone = (
        judge(x[100:], y[100:], made) for judge in (tasks.mixed_recall, tasks.one_kind_recall)
    )
    assert min(found) > 0.5 * min(alone) > 0


def test_recall_in_a_list_of_one_kind() -> None:
    x, y = noisy_pairs()
    assert tasks.one_kind_recall(x, y) == mg.recall_at_k(x, y)
    assert tasks.one_kind_recall(x, y, ZPerKind().fit(x, y)) == mg.recall_at_k(x, y)
    softmax = InvertedSoftmax(5).fit(x[:50], y[:50])
    first = (softmax.scores(x, "image", texts=y).argmax(1) == torch.arange(300)).double().mean()
    assert tasks.one_kind_recall(x, y, softmax)[0] == pytest.approx(first.item())


def test_hubness_is_scipys_skewness_of_how_often_one_is_found() -> None:
    x, y = noisy_pairs()
    for direction, cosines in enumerate((x @ y.T, y @ x.T)):
        found = np.bincount(cosines.topk(10).indices.flatten(), minlength=300)
        assert tasks.hubness(x, y)[direction] == pytest.approx(skew(found))
    # Everybody's neighbours are the same ten of thirty.
    hubs = torch.eye(30, dtype=torch.float64)[[0] * 10 + [1] * 20]
    same = hubs[:1].expand(30, 30)
    assert tasks.hubness(same, hubs)[0] == pytest.approx(skew([30] * 10 + [0] * 20))


def test_clusters_find_what_is_apart() -> None:
    centres = torch.eye(3, dtype=torch.float64)[torch.arange(30) % 3]
    x, y = (mg.normalize(centres + 0.05 * unit_rows(30, 3, seed)) for seed in (0, 1))
    image, text = tasks.clusters(x, y, 3)
    assert (image == text).all()
    assert len(set(zip(image.tolist(), (np.arange(30) % 3).tolist(), strict=True))) == 3
    image, text = tasks.clusters(x, -y, 2)
    assert not np.mean(image == text) > 0.5
    assert tasks.clusters(x, y, 3).shape == (2, 30)


# Calibration.


def test_calibration_error_by_hand() -> None:
    half = torch.tensor([True, False]).repeat(50)
    assert tasks.calibration_error(torch.full((100,), 0.5), half) == pytest.approx(0)
    assert tasks.calibration_error(torch.full((100,), 0.9), half) == pytest.approx(0.4)
    sure = torch.ones(4)
    assert tasks.calibration_error(sure, torch.tensor([True] * 4)) == 0
    # Two bins: (0.2, all wrong), (0.8, all right).
    confidence, correct = torch.tensor([0.2, 0.2, 0.8]), torch.tensor([False, False, True])
    assert tasks.calibration_error(confidence, correct) == pytest.approx(0.2)
    # In one bin they balance in part: claimed 1.2 of three answers, right 1.
    assert tasks.calibration_error(confidence, correct, bins=1) == pytest.approx(0.2 / 3)


def test_a_softmax_that_is_right_is_calibrated_and_its_temperature_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.rand(20_000, 5, generator=generator, dtype=torch.float64) - 1
    truth = torch.multinomial((logits / 0.3).softmax(1), 1, generator=generator)[:, 0]
    assert tasks.temperature_scaling(logits, truth) == pytest.approx(0.3, rel=0.03)
    # CLIP's own temperature is well inside of what is searched.
    colder = tasks.temperature_scaling(logits * 0.01 / 0.3, truth)
    assert colder == pytest.approx(0.01, rel=0.03)
    errors = []
    for temperature in (0.3, 0.1, 1.0):
        confidence, answer = (logits / temperature).softmax(1).max(1)
        errors.append(tasks.calibration_error(confidence, answer == truth))
    assert errors[0] < 0.015
    assert min(errors[1:]) > 0.1


def test_retrieval_calibration_is_the_plain_one() -> None:
    x, y = noisy_pairs(10)
    confidence, correct = [], []
    for batch in (slice(0, 5), slice(5, 10)):
        for a, b in ((x[batch], y[batch]), (y[batch], x[batch])):
            p, answer = (a @ b.T / 0.2).softmax(1).max(1)
            confidence.append(p)
            correct.append(answer == torch.arange(5))
    wanted = tasks.calibration_error(torch.cat(confidence), torch.cat(correct))
    assert tasks.retrieval_calibration(x, y, 0.2, 5) == pytest.approx(wanted)


def test_noise_decides_how_many_answers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = noisy_pairs(300)
    classes = unit_rows(4, 6, 7)
    kept = []
    for noise in (0, 0.3, 1, 1000):
        monkeypatch.setattr(tasks, "NOISE", noise)
        kept.append(tasks.noise_stability(x, classes))
    assert kept[0] == 1
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == pytest.approx(1 / 4, abs=0.1)


# Bad input.


def test_clusters_are_the_best_of_ten_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    kmeans = sklearn.cluster.KMeans

    def spy(*arguments: object, **settings: object) -> sklearn.cluster.KMeans:
        starts.append(settings["n_init"])
        return kmeans(*arguments, **settings)

    monkeypatch.setattr(sklearn.cluster, "KMeans", spy)
    tasks.clusters(*noisy_pairs(20), 3)
    assert starts == [10]


def test_bad_arguments_are_named() -> None:
    x, y = noisy_pairs(20)
    for call, said in [
        (lambda: tasks.mixed_recall(x, y[:3]), "y: expected the shape of x"),
        (lambda: tasks.cross_modal_neighbours(x[:5], y[:5]), "x: expected more than 5 rows, got 5"),
        (lambda: tasks.hubness(x[:10], y[:10]), "x: expected more than 10 rows, got 10"),
        (lambda: tasks.mixed_map(x, y, labels(3)), r"labels: .* 20, got \(3,\)"),
        (lambda: tasks.mean_average_precision(2 * x, labels(20)), "rows: row 0 has length 2"),
        (lambda: tasks.clusters(x, y, 0), "count: .* from 1 to 2 N = 40, got 0"),
        (lambda: tasks.retrieval_calibration(x, y, 0, 5), "temperature: expected"),
        (lambda: tasks.retrieval_calibration(x, y, 1, 250), "batch_size: .* 2 to N = 20"),
        (lambda: tasks.temperature_scaling(x, labels(3)), r"truth: .*\(20, 6\), got shape \(3,\)"),
        (lambda: tasks.noise_stability(x, 2 * y), "classes: row 0 has length 2"),
        (lambda: tasks.calibration_error(torch.ones(3), torch.ones(2)), "one number and one truth"),
        (lambda: tasks.calibration_error(torch.tensor([1.5]), torch.ones(1)), "from 0 to 1"),
        (
            lambda: tasks.calibration_error(torch.tensor([math.nan]), torch.ones(1)),
            "numbers from 0 to 1",
        ),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
