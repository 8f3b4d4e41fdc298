"""Scores of labelled steps, on sequences worked out on paper and against a second way to count."""

from __future__ import annotations

from functools import cache
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from vidlstm.training.segmentation_metrics import (
    Alarms,
    alarms_of,
    average_precision,
    edit_score,
    f1_of,
    frame_accuracy,
    levenshtein,
    mean_average_precision,
    mean_class_accuracy,
    runs_of,
    segment_matches,
)


def steps(text: str) -> np.ndarray:
    """``aab?`` is 0, 0, 1, -1."""
    return np.array([-1 if letter == "?" else ord(letter) - ord("a") for letter in text])


PAPER = [
    # truth, prediction: accuracy, mean of classes, edit, (TP, FP, FN) at 0.1, 0.25, 0.5
    ("aaaabbbb", "aaaabbbb", 1, 1, 1, [(2, 0, 0)] * 3),
    # Orders ab and aba, one insertion of 3; a 3/4, b 3/5 of the union, the last a is one too many.
    ("aaaabbbb", "aaabbbba", 6 / 8, 6 / 8, 1 - 1 / 3, [(2, 1, 0)] * 3),
    # Every other step wrong: eight pieces; the best a covers 1 of 4.
    ("aaaabbbb", "abababab", 4 / 8, 4 / 8, 1 - 6 / 8, [(2, 6, 0), (2, 6, 0), (0, 8, 2)]),
    # Shifted by two of four: a 2/4, then b 2/6 of the union.
    ("aaaabbbbcccc", "aabbbbccccaa", 6 / 12, 6 / 12, 1 - 1 / 4, [(3, 1, 0), (3, 1, 0), (1, 3, 2)]),
    # A class that is never said, and one that is not there.
    ("aabb", "aacc", 1 / 2, 1 / 2, 1 - 1 / 2, [(1, 1, 1)] * 3),
    # Unknown steps count nowhere, whatever is said there, and cut segments: a, a against a, a.
    ("aa??aabb??", "aabbaabbab", 1, 1, 1, [(3, 0, 0)] * 3),
]


@pytest.mark.parametrize(("truth", "said", "accuracy", "mean", "edit", "counts"), PAPER)
def test_on_paper(truth, said, accuracy, mean, edit, counts) -> None:
    said, truth = steps(said), steps(truth)
    assert frame_accuracy(said, truth) == pytest.approx(accuracy)
    assert mean_class_accuracy(said, truth) == pytest.approx(mean)
    assert edit_score(said, truth) == pytest.approx(edit)
    assert [segment_matches(said, truth, overlap) for overlap in (0.1, 0.25, 0.5)] == counts


def test_an_ignored_class_is_no_segment() -> None:
    truth, said = steps("zzaazz".replace("z", "c")), steps("caacaa")
    assert edit_score(said, truth, ignored=(2,)) == pytest.approx(1 / 2)
    assert segment_matches(said, truth, 0.3, ignored=(2,)) == (1, 1, 0)


def test_nothing_to_find() -> None:
    nothing = steps("???")
    assert edit_score(steps("abc"), nothing) == 1
    assert segment_matches(steps("abc"), nothing, 0.5) == (0, 0, 0)
    assert f1_of(0, 0, 0) == 1
    assert f1_of(3, 1, 2) == pytest.approx(6 / 9)
    assert np.isnan(frame_accuracy(steps("abc"), nothing))


# The second implementation: the published code's way (string edit by recursion, overlaps by sets of steps).


@cache
def edits(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0]))


def sets_of(text: str) -> list[tuple[str, set[int]]]:
    found, place = [], 0
    for letter, group in groupby(text):
        length = len(list(group))
        found.append((letter, set(range(place, place + length))))
        place += length
    return found


def matches(said: str, truth: str, overlap: float) -> tuple[int, int, int]:
    true, used, right, wrong = sets_of(truth), set(), 0, 0
    for letter, own in sets_of(said):
        shares = [len(own & other) / len(own | other) if letter == name else 0 for name, other in true]
        best = max(range(len(true)), key=lambda i: (shares[i], -i))
        if shares[best] >= overlap and best not in used:
            used.add(best)
            right += 1
        else:
            wrong += 1
    return right, wrong, len(true) - right


@given(
    pairs=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=14),
    overlap=st.sampled_from([0.1, 0.25, 0.5]),
)
@settings(max_examples=300, deadline=None)
def test_a_second_implementation_agrees(pairs, overlap) -> None:
    said, truth = ("".join(part) for part in zip(*pairs, strict=True))
    orders = ["".join(name for name, _ in sets_of(text)) for text in (said, truth)]
    expected = 1 - edits(*orders) / max(map(len, orders))
    assert edit_score(steps(said), steps(truth)) == pytest.approx(expected)
    assert segment_matches(steps(said), steps(truth), overlap) == matches(said, truth, overlap)


def test_levenshtein_of_known_words() -> None:
    assert levenshtein(*(list(map(ord, word)) for word in ("kitten", "sitting"))) == 3
    assert levenshtein([], [1, 2]) == 2


def test_runs_skip_what_is_unknown() -> None:
    assert runs_of(steps("aa?ab")) == [(0, 2, 0), (3, 4, 0), (4, 5, 1)]
    assert runs_of(steps("")) == []


def test_average_precision_on_paper() -> None:
    score, there = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([1, 0, 1, 0, 0])
    assert average_precision(score, there) == pytest.approx((1 / 1 + 2 / 3) / 2)
    # Three without to two with: w = 3/2. At the second: 3 / (3 + 1).
    assert average_precision(score, there, calibrated=True) == pytest.approx((1 + 3 / 4) / 2)
    assert np.isnan(average_precision(score, np.zeros(5)))
    assert average_precision(score, np.ones(5), calibrated=True) == 1


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30))
@settings(max_examples=100, deadline=None)
def test_average_precision_is_that_of_scikit_learn(rows) -> None:
    score, there = (np.array(part) for part in zip(*rows, strict=True))
    if there.any():
        assert average_precision(score, there) == pytest.approx(average_precision_score(there, score))


def test_calibration_undoes_rarity() -> None:
    """Ten times as many steps without the class, drawn alike, change the calibrated value little."""
    rng = np.random.default_rng(0)
    there = np.arange(22_000) < 2000
    score = rng.normal(size=len(there)) + there
    few = np.arange(len(there)) < 4000
    plain = [average_precision(score[part], there[part]) for part in (few, slice(None))]
    calibrated = [average_precision(score[part], there[part], calibrated=True) for part in (few, slice(None))]
    assert plain[0] - plain[1] > 0.2
    assert calibrated[0] == pytest.approx(calibrated[1], abs=0.02)


def test_the_mean_is_over_classes_that_occur() -> None:
    score = np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.5]])
    there = np.array([[1, 0, 0], [0, 1, 0]])
    assert mean_average_precision(score, there) == 1
    assert mean_average_precision(score[:, [1, 0, 2]], there, ignored=(0,)) == pytest.approx(1 / 2)


def test_alarms_on_paper() -> None:
    times = np.arange(20) / 2  # half a second a step
    there = np.zeros(20, bool)
    there[4:8] = there[14:16] = True  # 2 to 4 s, 7 to 8 s
    score = np.zeros(20)
    score[[6, 7, 10, 11, 19]] = 1  # at 3 s, on; 5 to 6 s and 9.5 s: false
    alarms = alarms_of(times, score, there, threshold=0.5)
    assert alarms == Alarms([1.0], events=2, false_alarms=2, hours=10 / 3600)
    told = alarms.as_dict()
    assert told["noticed"] == 1 / 2
    assert told["median_delay_seconds"] == 1
    assert told["false_alarms_an_hour"] == pytest.approx(720)
    # With a second and a half of tolerance 5 s is still about the first event, and 9.5 s about none.
    wide = alarms_of(times, score, there, threshold=0.5, tolerance_seconds=1.5)
    assert (wide.false_alarms, wide.delays_seconds) == (1, [1.0])


def test_an_alarm_before_the_beginning_is_no_delay() -> None:
    times, there = np.arange(10.0), np.arange(10) == 5
    alarms = alarms_of(times, (np.arange(10) == 4) * 1.0, there, threshold=1.0, tolerance_seconds=1.0)
    assert (alarms.delays_seconds, alarms.false_alarms) == ([0.0], 0)


def test_an_alarm_that_is_always_on_notices_nothing() -> None:
    alarms = alarms_of(np.arange(9.0), np.ones(9), np.arange(9) == 5, threshold=0.5)
    assert (alarms.events, alarms.delays_seconds, alarms.false_alarms) == (1, [], 1)


def test_alarms_in_unknown_time_are_not_false() -> None:
    times, known = np.arange(10.0), np.arange(10) < 5
    score = (np.arange(10) >= 7) * 1.0
    alarms = alarms_of(times, score, np.zeros(10, bool), threshold=0.5, known_T=known)
    assert alarms == Alarms([], 0, 0, hours=5 / 3600)
    alarms.add(Alarms([2.0], 1, 3, 1.0))
    assert alarms == Alarms([2.0], 1, 3, 1 + 5 / 3600)
