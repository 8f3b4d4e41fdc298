"""The frames a decision rests on, where it is known on which it rests."""

from __future__ import annotations

import builtins
from dataclasses import replace

import numpy as np
import pytest
import torch

from vidlstm.errors import SettingsError
from vidlstm.inference.attribution import Attribution, attribute, check_by_deletion, class_probabilities
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.structures import FeatureSequence

LENGTH, WINDOWS = 12, 40
ROWS = [(LENGTH * w, LENGTH * (w + 1)) for w in range(WINDOWS)]


def one_telling_step(seed: int) -> tuple[FeatureSequence, np.ndarray, np.ndarray]:
    """Windows of faint noise with one strong step: its sign is the class. Also its place and the class."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 0.1, size=(WINDOWS, LENGTH, 4))
    place, sign = rng.integers(0, LENGTH, WINDOWS), rng.integers(0, 2, WINDOWS)
    features[np.arange(WINDOWS), place, 0] += np.where(sign == 1, 3.0, -3.0)
    flat = features.reshape(-1, 4).astype(np.float16)
    return FeatureSequence(flat, np.arange(len(flat)) / 10), place, sign


@pytest.fixture(scope="module")
def trained() -> SequenceClassifier:
    torch.manual_seed(0)
    model = SequenceClassifier(
        4, 2, cell="lstm", hidden_size=8, num_layers=1, projection=0, dropout=0.0, input_dropout=0.0
    )
    sequence, _, sign = one_telling_step(1)
    x = torch.from_numpy(sequence.features).float().view(WINDOWS, LENGTH, 4)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        scores = model(x, torch.full((WINDOWS,), LENGTH))
        torch.nn.functional.cross_entropy(scores, torch.from_numpy(sign)).backward()
        optimiser.step()
    return model.eval()


@pytest.fixture(scope="module")
def found(trained: SequenceClassifier) -> Attribution:
    """Of windows that it has not seen."""
    return attribute(trained, one_telling_step(2)[0], ROWS)


def test_the_telling_frame_is_found_in_unseen_windows(found: Attribution) -> None:
    _, place, sign = one_telling_step(2)
    assert (found.class_W == sign).mean() > 0.95
    assert (found.by_step_WL.argmax(1) == place).mean() > 0.9


def test_attributions_add_up_to_the_difference_from_the_baseline(
    trained: SequenceClassifier, found: Attribution
) -> None:
    sequence, _, _ = one_telling_step(2)
    windows = [torch.from_numpy(sequence.features[a:b]).float() for a, b in ROWS]
    nothing = [trained.norm.mean.expand(LENGTH, -1)] * WINDOWS
    gained = class_probabilities(trained, windows, found.class_W) - class_probabilities(
        trained, nothing, found.class_W
    )
    np.testing.assert_allclose(found.by_step_WL.sum(1), gained, atol=found.largest_gap + 1e-5)
    assert found.largest_gap < 0.02


def test_deleting_what_it_rests_on_costs_more_than_deleting_at_random(
    trained: SequenceClassifier, found: Attribution
) -> None:
    sequence, _, _ = one_telling_step(2)
    check = check_by_deletion(trained, sequence, ROWS, found, share=0.1)
    assert check.whole > 0.95
    assert check.without_most < 0.7
    assert check.without_random > check.without_most + 0.2
    # A wrong attribution does not pass: the least attributed frames are no loss.
    wrong = replace(found, by_step_WL=-found.by_step_WL)
    assert check_by_deletion(trained, sequence, ROWS, wrong, share=0.1).without_most > check.without_random


def test_windows_of_one_frame_keep_it(trained: SequenceClassifier) -> None:
    sequence, _, _ = one_telling_step(2)
    rows = [(0, 1), (3, 5)]
    check = check_by_deletion(trained, sequence, rows, attribute(trained, sequence, rows), draws=2)
    assert 0 <= check.without_most <= 1


def test_without_captum_the_remedy_is_named(
    trained: SequenceClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def no_captum(name, *args, **kwargs):
        if name.startswith("captum"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_captum)
    sequence, _, _ = one_telling_step(2)
    with pytest.raises(SettingsError, match=r"pip install 'vidlstm\[inspect\]'"):
        attribute(trained, sequence, ROWS)
