"""Frames lie in memory that two processes share: who may write when, who finds it, and what is left of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from vidlstm.errors import SettingsError
from vidlstm.features import slabs
from vidlstm.features.slabs import Slabs

SHAPE = (4, 8, 8, 3)


@pytest.mark.parametrize("nameless", [True, False])
def test_both_see_the_same_and_nothing_is_left(
    nameless: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if nameless and not hasattr(os, "memfd_create"):
        pytest.skip("this system has no memory without a name")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not nameless:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    mine = Slabs.new(3, SHAPE)
    theirs = Slabs.of(mine.described)
    theirs[1][2] = 7
    assert mine[1].sum() == mine.memory.sum() == 7 * 8 * 8 * 3
    mine[2][:] = 1
    assert (theirs[2] == 1).all()
    assert bool(list(tmp_path.iterdir())) is not nameless
    mine.close()
    assert list(tmp_path.iterdir()) == []
    assert (theirs[2] == 1).all(), "who has it, keeps it"


def test_a_slab_belongs_to_one_side_at_a_time() -> None:
    mine = Slabs.new(3, SHAPE)
    theirs = Slabs.of(mine.described)
    theirs.finish(0)
    give_back = mine.lend(0)
    theirs.finish(1)
    theirs.finish(2)
    mine.renew()  # the process has died before it said a word of the last two
    assert [theirs.is_free(slab) for slab in range(3)] == [False, True, True]
    give_back()
    assert theirs.is_free(0)
    mine.close()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="a file can be cut short")
def test_a_decoder_that_turns_hostile_cannot_cut_it_short() -> None:
    mine = Slabs.new(1, SHAPE)
    with Path(mine.described["path"]).open("r+b") as file, pytest.raises(PermissionError):
        file.truncate(0)
    mine[0][:] = 1
    mine.close()


def test_where_there_is_no_room_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "memfd_create", full, raising=False)
    monkeypatch.setattr(slabs, "scratch", full)
    with pytest.raises(SettingsError, match=r"73 MB .*No space left on device.* `backbone.batch_size`"):
        Slabs.new(8, (64, 224, 224, 3))


def test_more_than_there_is_memory_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(slabs, "free_memory_bytes", lambda: 60 << 20)
    with pytest.raises(SettingsError, match=r"73 MB .*60 MB .* `backbone.batch_size`"):
        Slabs.rings(2, 4, (64, 224, 224, 3))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="frames are in a file")
def test_memory_that_is_refused_is_not_sought_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings, real, held = 3, slabs.mmap.mmap, len(list(Path("/proc/self/fd").iterdir()))

    def limited(*given: int) -> object:
        nonlocal rings
        rings -= 1
        if not rings:
            raise OSError(12, "Cannot allocate memory")
        return real(*given)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(slabs, "scratch", lambda _: pytest.fail("the disk was tried"))
    monkeypatch.setattr(slabs.mmap, "mmap", limited)
    with pytest.raises(SettingsError, match="Cannot allocate memory"):
        Slabs.rings(3, 1, SHAPE)
    assert len(list(Path("/proc/self/fd").iterdir())) <= held + 1, "nothing of it is kept"
