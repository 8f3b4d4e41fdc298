"""Late fusion: each stream sees its part alone, the mean is of log-probabilities, padding changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tests.models.test_classifier import OPERATIONS
from tests.tolerance import assert_near
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.fusion import LateFusion, build_classifier, streams_of
from vidlstm.models.pooling import POOLINGS

WIDTHS = [2, 5, 3]
SMALL: dict[str, Any] = {"hidden_size": 6, "projection": 4, "num_layers": 1}


def late(seed: int = 0, **settings: Any) -> LateFusion:
    torch.manual_seed(seed)
    model = build_classifier(WIDTHS, 4, fusion="late", **SMALL | settings)
    assert isinstance(model, LateFusion)
    model.fit_norm(torch.randn(10), torch.rand(10) + 0.5)
    return model.eval()


def batch(*lengths: int, steps: int = 0, fill: float = 0.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = pad_sequence([torch.randn(n, 10, generator=generator) for n in lengths], batch_first=True)
    more = torch.full((len(x), max(steps - x.shape[1], 0), 10), fill)
    x = torch.cat([x, more], dim=1)
    for row, length in zip(x, lengths, strict=True):
        row[length:] = fill
    return x, torch.tensor(lengths)


def test_the_scores_are_the_mean_of_the_streams_log_probabilities() -> None:
    model = late(absolute_difference=True)
    x, lengths = batch(3, 1, 6)
    parts = [x[..., :2], x[..., 2:7], x[..., 7:]]
    with torch.no_grad():
        each = [s(part, lengths).log_softmax(-1) for s, part in zip(model.streams, parts, strict=True)]
        torch.testing.assert_close(model(x, lengths), (each[0] + each[1] + each[2]) / 3)
        for stream, log_p, part in zip(streams_of(model, x), each, parts, strict=True):
            assert torch.equal(stream.x_BTF, part)
            assert torch.equal(stream.model(stream.x_BTF, lengths).log_softmax(-1), log_p)
    assert [stream.prefix for stream in streams_of(model, x)] == ["stream1.", "stream2.", "stream3."]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("garbage", [7.0, float("nan"), float("inf")])
def test_padding_changes_nothing(pooling: str, garbage: float) -> None:
    model = late(pooling=pooling, absolute_difference=True, frame_difference=True)
    with torch.no_grad():
        expected = model(*batch(3, 1, 6))
        more = model(*batch(3, 1, 6, steps=11, fill=garbage))
    assert_near(more, expected, operations=OPERATIONS)


@pytest.mark.parametrize("projection", [0, 4])
def test_what_the_encoders_read_leads_to_the_same_scores(projection: int) -> None:
    model = late(projection=projection, bidirectional=False)
    x, lengths = batch(3, 1, 6)
    read = model.encoder_input(x, lengths)
    assert read.shape == (3, 6, 3 * projection or 10)
    wanted = model(x, lengths)
    assert_near(model.scores_of(read, lengths), wanted, operations=OPERATIONS)
    assert_near(model(x, lengths, 2), wanted, operations=OPERATIONS)


def test_each_stream_is_normalised_by_its_part_of_the_statistics() -> None:
    model = late()
    mean, std = torch.randn(10), torch.rand(10) + 0.5
    model.fit_norm(mean, std)
    for stream, first, last in zip(model.streams, (0, 2, 7), (2, 7, 10), strict=True):
        torch.testing.assert_close(stream.norm.mean, mean[first:last])
        torch.testing.assert_close(stream.norm.scale, 1 / std[first:last])
    torch.testing.assert_close(model.norm.mean, mean)
    torch.testing.assert_close(model.norm.scale, 1 / std)


@pytest.mark.parametrize(("widths", "fusion"), [([10], "early"), ([10], "late"), (WIDTHS, "early")])
def test_early_and_the_late_fusion_of_one_are_the_plain_classifier_bit_for_bit(
    widths: list[int], fusion: str
) -> None:
    torch.manual_seed(3)
    plain = SequenceClassifier(10, 4, **SMALL).eval()
    torch.manual_seed(3)
    built = build_classifier(widths, 4, fusion=fusion, **SMALL).eval()
    assert type(built) is SequenceClassifier
    assert torch.equal(built(*batch(3, 1, 6)), plain(*batch(3, 1, 6)))
    x, _ = batch(3)
    assert [(s.prefix, s.model, s.x_BTF is x) for s in streams_of(built, x)] == [("", built, True)]


def test_an_unknown_fusion_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'late'"):
        build_classifier(WIDTHS, 4, fusion="latte")
