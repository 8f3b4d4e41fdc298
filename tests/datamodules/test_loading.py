"""Batches from a copy of the table on a device are those from memory, and train the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.datamodules.test_bags import LENGTHS, dataset
from tests.datamodules.test_segmentation import data_of
from tests.training.test_action import SURE, WIDTH, card_of, eight, trainer
from vidlstm.datamodules import loading
from vidlstm.datamodules.bags import BagDataset
from vidlstm.datamodules.collate import SequenceDataset
from vidlstm.datamodules.loading import DeviceRows, batches, fits
from vidlstm.datamodules.segmentation import StepDataset
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.structures import SequenceBatch
from vidlstm.training.action import ActionModule

GPU = torch.device("cuda")
HERE = torch.device("cpu")


def sequences(**settings: object) -> SequenceDataset:
    bounds = torch.tensor([[0, 3], [3, 10], [10, 11], [11, 17]])
    return SequenceDataset(torch.randn(17, 5).half(), bounds, torch.arange(4), **settings)


@pytest.fixture(params=["clips", "cut at random", "bags", "windows"])
def cut(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[SequenceDataset | BagDataset | StepDataset, list]:
    """A dataset, and what it is asked for."""
    if request.param == "bags":
        return dataset(LENGTHS), [[2, 0], [1]]
    if request.param == "windows":
        data = data_of(tmp_path, window_seconds=1.0)
        assert data.train_set is not None
        return data.train_set, list(data.train_dataloader().sampler)
    cut_at_random = {"max_steps": 4, "random_cut": True} if request.param != "clips" else {}
    return sequences(**cut_at_random), [[2, 0, 1], [3], [-1]]


def tensors(batch: SequenceBatch) -> list[torch.Tensor]:
    return [batch.x_BTF, batch.lengths_B, batch.targets, batch.index_B, *batch.extras.values()]


def drawn(cut: SequenceDataset | BagDataset | StepDataset, asked: list) -> list[SequenceBatch]:
    torch.manual_seed(0)
    return [cut[which] for which in asked]


def test_one_gather_gives_the_same_batches(cut: tuple) -> None:
    data, asked = cut
    copied = data.reading(DeviceRows(data.rows_NF, HERE))
    for ours, theirs in zip(drawn(copied, asked), drawn(data, asked), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(tensors(ours), tensors(theirs), strict=True))
        assert ours.x_BTF.dtype == theirs.x_BTF.dtype


@pytest.mark.parametrize("of_half", [1, -1])
def test_half_of_the_free_memory_is_what_a_table_may_take(
    of_half: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_NF = torch.zeros(100, 8, dtype=torch.float16)
    free = 2 * rows_NF.nbytes + of_half
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    assert fits(rows_NF, GPU) == (of_half > 0)
    assert not fits(rows_NF, HERE)


def test_it_trains_the_same_weights_and_is_copied_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = []

    def trained() -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        settings = {k: v for k, v in vars(card_of().model).items() if k != "fusion"}
        task = ActionModule(SequenceClassifier(WIDTH, 2, **settings), 2, SURE, total_steps=6, card=card_of())
        data = eight(tmp_path)
        trainer(max_epochs=2).fit(task, datamodule=data)
        copies.append(sum(type(rows) is DeviceRows for rows in data._loading._rows.values()))
        return task.model.state_dict()

    as_it_lies = trained()
    monkeypatch.setattr(loading, "fits", lambda rows_NF, device: True)
    copied = trained()
    assert copies == [0, 1]
    assert all(torch.equal(copied[name], weight) for name, weight in as_it_lies.items())


@pytest.mark.gpu
def test_a_gpu_gets_the_same_batches_and_is_never_waited_for(cut: tuple) -> None:
    data, asked = cut
    for place in (data, data.reading(DeviceRows(data.rows_NF, GPU))):
        torch.manual_seed(0)
        list(batches(place, asked[:1], GPU))  # the first asks for memory
        torch.manual_seed(0)
        torch.cuda.set_sync_debug_mode("error")
        try:
            on_gpu = list(batches(place, asked, GPU))
        finally:
            torch.cuda.set_sync_debug_mode("default")
        for ours, theirs in zip(on_gpu, drawn(data, asked), strict=True):
            assert all(a.is_cuda for a in tensors(ours))
            assert all(torch.equal(a.cpu(), b) for a, b in zip(tensors(ours), tensors(theirs), strict=True))
