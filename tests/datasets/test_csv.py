"""Tables of clips: what they may hold, and what every mistake is told like."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import pytest

from tests.fakes.layouts import frames, touch
from vidlstm.datasets.csv import load_csv
from vidlstm.datasets.files import Presence
from vidlstm.datasets.records import ClipRecord
from vidlstm.errors import DatasetError


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """A CSV file beside the videos run/1.mp4 to run/4.mp4."""
    for i in range(1, 5):
        touch(folder / "run" / f"{i}.mp4")
    file = folder / "clips.csv"
    file.write_bytes(text.encode(encoding))
    return file


def one(folder: Path, header: str, row: str) -> ClipRecord:
    (record,) = load_csv(table(folder, f"{header}\n{row}\n")).records
    return record


def test_every_column(tmp_path: Path) -> None:
    record = one(
        tmp_path,
        "path,label,start_seconds,end_seconds,group,fold,split",
        "run/1.mp4,run,1.5,4,src7,3,dev",
    )
    assert record == ClipRecord(
        tmp_path / "run/1.mp4", "run", 1.5, 4.0, "src7", 3, "validation", name="run/1.mp4"
    )


def test_empty_cells_say_nothing(tmp_path: Path) -> None:
    record = one(tmp_path, "path,label,start_seconds,end_seconds,group,fold,split", "run/1.mp4,run,,,,,")
    assert record == ClipRecord(tmp_path / "run/1.mp4", "run", name="run/1.mp4")


@pytest.mark.parametrize(
    ("word", "side"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("val", "validation"),
        ("valid", "validation"),
        ("DEV", "validation"),
        ("test", "test"),
        ("testing", "test"),
    ],
)
def test_split_words(tmp_path: Path, word: str, side: str) -> None:
    assert one(tmp_path, "path,label,split", f"run/1.mp4,run,{word}").split == side


def test_a_fold_as_pandas_writes_it(tmp_path: Path) -> None:
    assert one(tmp_path, "path,label,fold", "run/1.mp4,run,3.0").fold == 3


def test_a_label_may_hold_anything(tmp_path: Path) -> None:
    record = one(tmp_path, "path,label", 'run/1.mp4,"läuft, ""schnell""\nund weit"')
    assert record.label == 'läuft, "schnell"\nund weit'


def test_labels_are_sorted_and_records_are_not(tmp_path: Path) -> None:
    dataset = load_csv(table(tmp_path, "path,label\nrun/2.mp4,b\nrun/1.mp4,c\nrun/3.mp4,a\n"))
    assert dataset.labels == ("a", "b", "c")
    assert [r.label for r in dataset.records] == ["b", "c", "a"]


def test_one_video_may_give_several_clips(tmp_path: Path) -> None:
    rows = ("run,0,2", "run,2,4", "jump,4,", "run,0,4")
    text = "path,label,start_seconds,end_seconds\n" + "".join(f"run/1.mp4,{row}\n" for row in rows)
    records = load_csv(table(tmp_path, text)).records
    assert [(r.start_seconds, r.end_seconds) for r in records] == [
        (0.0, 2.0),
        (2.0, 4.0),
        (4.0, None),
        (0.0, 4.0),
    ]


def test_the_root_may_be_elsewhere(tmp_path: Path) -> None:
    file = table(tmp_path / "videos", "path,label\nrun/1.mp4,run\n").rename(tmp_path / "clips.csv")
    assert load_csv(file, root=tmp_path / "videos").records[0].path == tmp_path / "videos/run/1.mp4"
    with pytest.raises(DatasetError, match="1 of 1 clips are neither"):
        load_csv(file)


def test_a_folder_of_frames_is_a_video(tmp_path: Path) -> None:
    frames(tmp_path / "jump" / "a")
    assert one(tmp_path, "path,label", "jump/a,jump").path == tmp_path / "jump/a"


def test_a_folder_of_something_else_is_not(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="neither a file nor a folder of frame images"):
        one(tmp_path, "path,label", "run,run")


@pytest.mark.parametrize("path", ["./run/1.mp4", "run/../run/1.mp4", "run//1.mp4"])
def test_a_winding_path_inside_the_root_is_fine(tmp_path: Path, path: str) -> None:
    record = one(tmp_path, "path,label", f"{path},run")
    assert (record.path, record.name) == (tmp_path / "run/1.mp4", path)


def test_an_absolute_path_inside_the_root_is_fine_also_through_a_link(tmp_path: Path) -> None:
    file = table(tmp_path / "real", f"path,label\n{tmp_path}/real/run/1.mp4,run\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for root in ("real", "link"):
        (record,) = load_csv(file, root=tmp_path / root).records
        assert record.name == "run/1.mp4"


@pytest.mark.parametrize(
    "path", ["../outside.mp4", "run/../../outside.mp4", "{tmp}/outside.mp4", "/etc/passwd", "."]
)
def test_a_path_out_of_the_root_is_refused(tmp_path: Path, path: str) -> None:
    touch(tmp_path / "outside.mp4")
    path = path.format(tmp=tmp_path)
    with pytest.raises(DatasetError, match=f"line 2: {re.escape(repr(path))} lies outside .*`data.root`"):
        one(tmp_path / "root", "path,label", f"{path},run")


def test_a_root_that_starts_alike_is_outside(tmp_path: Path) -> None:
    touch(tmp_path / "root2" / "a.mp4")
    with pytest.raises(DatasetError, match="lies outside"):
        one(tmp_path / "root", "path,label", "../root2/a.mp4,run")


MISTAKES = {
    "empty label": ("path,label\nrun/1.mp4,run\nrun/2.mp4, \n", "line 3: empty label for run/2.mp4"),
    "empty path": ("path,label\n,run\n", "line 2: empty path"),
    "start": (
        "path,label,start_seconds\nrun/1.mp4,run,soon\n",
        "line 2: start_seconds is 'soon', not a number of seconds such as 12.5",
    ),
    "comma in a number": (
        'path,label,start_seconds\nrun/1.mp4,run,"1,5"\n',
        "line 2: start_seconds is '1,5', not a number",
    ),
    "not finite": (
        "path,label,end_seconds\nrun/1.mp4,run,inf\n",
        "line 2: end_seconds is inf; it must be finite",
    ),
    "nan": ("path,label,end_seconds\nrun/1.mp4,run,nan\n", "line 2: end_seconds is nan; it must be finite"),
    "negative": ("path,label,start_seconds\nrun/1.mp4,run,-1\n", "line 2: start_seconds is -1; it must"),
    "backwards": (
        "path,label,start_seconds,end_seconds\nrun/1.mp4,run,5,4\n",
        "line 2: end_seconds 4 is not after start_seconds 5",
    ),
    "end at zero": (
        "path,label,end_seconds\nrun/1.mp4,run,0\n",
        "end_seconds 0 is not after start_seconds 0",
    ),
    "fold": ("path,label,fold\nrun/1.mp4,run,first\n", "line 2: fold is 'first', not a whole number"),
    "half a fold": ("path,label,fold\nrun/1.mp4,run,0.5\n", "line 2: fold is '0.5', not a whole number"),
    "split": (
        "path,label,split\nrun/1.mp4,run,trian\n",
        "line 2: unknown split 'trian'; did you mean 'train'?",
    ),
    "misspelt": ("path,lable\nrun/1.mp4,run\n", "line 1: unknown column 'lable'; did you mean 'label'?"),
    "misspelt optional": (
        "path,label,flod\nrun/1.mp4,run,0\n",
        "unknown column 'flod'; did you mean 'fold'?",
    ),
    "synonym": ("path,label,start\nrun/1.mp4,run,0\n", "'start'; did you mean 'start_seconds'?"),
    "no label column": ("path,sport\nrun/1.mp4,run\n", "line 1: column label is missing"),
    "no header": (
        "run/1.mp4,run\nrun/2.mp4,run\n",
        "line 1: column path, label is missing; the first line must",
    ),
    "twice": ("path,label,label\nrun/1.mp4,a,b\n", "line 1: column label stands twice"),
    "semicolons": ("path;label\nrun/1.mp4;run\n", "line 1: the columns are not separated by commas"),
    "tabs": ("path\tlabel\nrun/1.mp4\trun\n", "line 1: the columns are not separated by commas"),
    "too many cells": (
        "path,label\nrun/1.mp4,run, fast\n",
        "line 2: 3 cells where the header has 2; put a value that holds a comma in double quotes",
    ),
    "too few cells": ("path,label,fold\nrun/1.mp4,run\n", "line 2: 2 cells where the header has 3"),
    "quotes": ('path,label\n"run/1.mp4,run\n', "line 2: .*check the double quotes"),
    "empty file": ("", "line 1: column path, label is missing"),
    "no rows": ("path,label\n\n", "has a header and no clip below it"),
    "same row": (
        "path,label\nrun/1.mp4,run\nrun/2.mp4,run\nrun/1.mp4,run\n",
        "run/1.mp4 stands twice, lines 2 and 4",
    ),
    "same row, other spelling": (
        "path,label,group\nrun/1.mp4,run,a\n./run/1.mp4,run,b\n",
        r"\./run/1.mp4 stands twice, lines 2 and 3",
    ),
    "two labels": (
        "path,label\nrun/1.mp4,run\nrun/1.mp4,jump\n",
        "run/1.mp4 is 'run' on line 2 and 'jump' on line 3; a clip has one label",
    ),
    "after a quoted line break": ('path,label\nrun/1.mp4,"a\nb"\nrun/2.mp4,\n', "line 4: empty label"),
    "after an empty line": ("path,label\n\n\nrun/2.mp4,\n", "line 4: empty label"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_the_file_and_the_line(tmp_path: Path, name: str) -> None:
    text, message = MISTAKES[name]
    with pytest.raises(DatasetError, match=rf"clips\.csv.*{message}"):
        load_csv(table(tmp_path, text))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(DatasetError, match=r"clips\.csv is not UTF-8 \(line [12]: .*; save it as UTF-8"):
        load_csv(table(tmp_path, "path,label\nrun/1.mp4,läuft\n", encoding=encoding))


def test_missing_videos_are_listed_and_counted(tmp_path: Path) -> None:
    rows = "".join(f"run/{i}.mp4,run\n" for i in range(1, 17))
    with pytest.raises(DatasetError) as caught:
        load_csv(table(tmp_path, f"path,label\n{rows}"))
    message = str(caught.value)
    assert "12 of 16 clips" in message and "check `data.root`:" in message
    assert "\n  line 6: run/5.mp4" in message and "... and 2 more, 12 in all" in message
    assert "run/4.mp4" not in message and "run/15.mp4" not in message


def test_backslashes_get_advice(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"write / instead of \\"):
        load_csv(table(tmp_path, "path,label\nrun\\1.mp4,run\n"))


def test_extra_columns_are_named_once(tmp_path: Path) -> None:
    text = "path,label,fps,note\n" + "".join(f"run/{i}.mp4,run,25,x\n" for i in range(1, 5))
    with pytest.warns(UserWarning, match="columns ignored: 'fps', 'note'") as caught:
        load_csv(table(tmp_path, text))
    assert len(caught) == 1


def test_a_near_name_beside_the_right_one_is_only_extra(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="columns ignored: 'labels'"):
        assert one(tmp_path, "path,label,labels", "run/1.mp4,run,x").label == "run"


def test_a_group_is_inferred_only_where_no_column_gives_it(tmp_path: Path) -> None:
    touch(tmp_path / "v_Archery_g01_c01.avi")
    assert one(tmp_path, "path,label", "v_Archery_g01_c01.avi,Archery").group == "Archery_g01"
    assert one(tmp_path, "path,label,group", "v_Archery_g01_c01.avi,Archery,").group is None


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("path,label", "run/1.mp4,run", "no clip has a fold; drop `data.fold` or add the column 'fold'"),
        ("path,label,fold", "run/1.mp4,run,2", "there is no fold 7; `data.fold` can be 2"),
    ],
)
def test_a_fold_that_is_not_there(tmp_path: Path, header: str, row: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_csv(table(tmp_path, f"{header}\n{row}\n"), fold=7)


def test_presence_lists_a_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(50):
        touch(tmp_path / f"{i}.mp4")
    listed, real = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or real(folder))
    monkeypatch.setattr(Path, "is_file", lambda self: pytest.fail(f"asked for {self}"))
    presence = Presence()
    assert all(presence.has(str(tmp_path / f"{i}.mp4")) for i in range(50))
    assert listed == [str(tmp_path)]


def test_a_broken_link_is_missing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "9.mp4").symlink_to(tmp_path / "nowhere.mp4")
    with pytest.raises(DatasetError, match=r"line 2: run/9.mp4"):
        one(tmp_path, "path,label", "run/9.mp4,run")


def test_a_sound_table_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one(tmp_path, " Path , LABEL ", " run/1.mp4 , run ")


@pytest.mark.parametrize(
    ("columns", "meant"),
    [
        ("start_timestamp,stop_timestamp", "start_seconds"),
        ("startTime,endTime", "start_seconds"),
        ("t_start,t_end", "start_seconds"),
        ("onset,offset", "start_seconds"),
        ("t0,t1", "start_seconds"),
        ("first_frame,last_frame", "start_seconds"),
        ("start_seconds,stop", "end_seconds"),
        ("start_seconds,duration", "end_seconds"),
        ("In,Out", "start_seconds"),
    ],
)
def test_clips_bounded_under_other_names_are_refused(tmp_path: Path, columns: str, meant: str) -> None:
    """Ignored, every clip would be its whole video."""
    with pytest.raises(DatasetError, match=rf"clips\.csv, line 1: .*in seconds as '{meant}'"):
        load_csv(table(tmp_path, f"path,label,{columns}\nrun/1.mp4,run,1,2\n"))


@pytest.mark.parametrize(
    "columns", ["gender,weekend", "first_name,last_name", "num_frames,fps", "duration,notes"]
)
def test_columns_that_bound_nothing_are_ignored_with_a_warning(tmp_path: Path, columns: str) -> None:
    with pytest.warns(UserWarning, match="columns ignored"):
        load_csv(table(tmp_path, f"path,label,{columns}\nrun/1.mp4,run,1,2\n"))


def test_frames_beside_seconds_are_ignored(tmp_path: Path) -> None:
    text = "path,label,start_seconds,end_seconds,start_frame,stop_frame\nrun/1.mp4,run,1,2,25,50\n"
    with pytest.warns(UserWarning, match="columns ignored: 'start_frame', 'stop_frame'"):
        assert load_csv(table(tmp_path, text)).records[0].end_seconds == 2.0
