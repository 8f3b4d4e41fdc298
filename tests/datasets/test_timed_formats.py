"""What labelling tools write, with the trap of each; small files written here by hand.

What is expected was worked out on paper from the tools' own documentation, which each reader names.
"""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidlstm.datasets.timed import TimedDataset, TimedLabel
from vidlstm.datasets.timed_formats import TIMED_FORMATS, load_timed
from vidlstm.errors import DatasetError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "labels"

Said = list[tuple[float, float, str]]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    for name in ("a.mp4", "b.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def of(dataset: TimedDataset, name: str = "a.mp4") -> Said:
    video = next(video for video in dataset.videos if video.name == name)
    return [(round(at.start_seconds, 6), round(at.end_seconds, 6), at.label) for at in video.labels]


def save(path: Path, content: Any) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


# What each tool writes of the same: walk from 1 s to 2 s and fall from 2 s to 4 s, at 10 frames a second.

TRUTH: Said = [(1.0, 2.0, "walk"), (2.0, 4.0, "fall")]


def task(
    *results: dict[str, Any], name: str = "/data/upload/1/907e405c-a.mp4", **more: Any
) -> dict[str, Any]:
    annotation = {"result": list(results), "was_cancelled": False, "ground_truth": False}
    return {"id": 1, "annotations": [annotation], "data": {"video": name}, **more}


def timeline(label: str, start: int, end: int) -> dict[str, Any]:
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]}
    return {"type": "timelinelabels", "value": value}


WALK, FALL = timeline("walk", 11, 20), timeline("fall", 21, 40)


def label_studio(folder: Path) -> Path:
    return save(folder / "export.json", [task(WALK, FALL)])


CVAT_META = "<meta><task><id>1</id><name>t</name>{}<source>a.mp4</source></task></meta>"


def box(frame: int, outside: int = 0) -> str:
    return f'<box frame="{frame}" outside="{outside}" keyframe="1" xtl="0" ytl="0" xbr="9" ybr="9"></box>'


def track(label: str, *boxes: str) -> str:
    return f'<track id="0" label="{label}">{"".join(boxes)}</track>'


def cvat(folder: Path, *children: str, meta: str = "") -> Path:
    children = children or (
        track("walk", *map(box, range(10, 20)), box(20, 1)),
        track("fall", *map(box, range(20, 40)), box(40, 1)),
    )
    text = f"<annotations><version>1.1</version>{CVAT_META.format(meta)}{''.join(children)}</annotations>"
    return save(folder / "cvat.xml", f'<?xml version="1.0" encoding="utf-8"?>\n{text}')


def elan(
    folder: Path, *, origin: str = "", tiers: str = "", times: tuple[int, ...] = (1000, 2000, 4000)
) -> Path:
    slots = "".join(f'<TIME_SLOT TIME_SLOT_ID="ts{i}" TIME_VALUE="{t}"/>' for i, t in enumerate(times))
    annotation = (
        '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="x{0}" TIME_SLOT_REF1="ts{0}" '
        'TIME_SLOT_REF2="ts{1}">'
        "<ANNOTATION_VALUE>{2}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )
    tier = annotation.format(0, 1, "walk") + annotation.format(1, 2, "fall")
    return save(
        folder / "a.eaf",
        '<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR '
        f'MEDIA_URL="file:///C:/My%20Videos/a.mp4" {origin} MIME_TYPE="video/mp4"/></HEADER>'
        f'<TIME_ORDER>{slots}</TIME_ORDER><TIER TIER_ID="t">{tier}</TIER>{tiers}</ANNOTATION_DOCUMENT>',
    )


def via(folder: Path, **metadata: Any) -> Path:
    attribute = {"aname": "action", "anchor_id": "FILE1_Z2_XY0", "options": {"0": "walk", "1": "fall"}}
    entries = {"1": ([1.0, 2.0], {"1": "0"}), "2": ([2.0, 4.0], {"1": "1"}), **metadata}
    return save(
        folder / "via.json",
        {
            "attribute": {"1": attribute},
            "file": {"7": {"fname": "a.mp4", "src": ""}},
            "view": {"1": {"fid_list": ["7"]}},
            "metadata": {key: {"vid": "1", "z": z, "xy": [], "av": av} for key, (z, av) in entries.items()},
        },
    )


TABULAR = "Observation id,Source,Time offset (s),FPS,Subject,Behavior,Behavior type,Time,Media file name\n"


def event(
    time: float, behavior: str, kind: str, *, offset: str = "0.0", subject: str = "", sep: str = ","
) -> str:
    return sep.join(["o1", "player", offset, "10.0", subject, behavior, kind, str(time), "a.mp4"]) + "\n"


def boris(folder: Path) -> Path:
    rows = [event(1, "walk", "START"), event(1.999, "walk", "STOP"), event(2, "fall", "START")]
    return save(folder / "events.csv", TABULAR + "".join([*rows, event(4, "fall", "STOP")]))


def boris_aggregated(folder: Path) -> Path:
    head = "Observation id,Time offset (s),Behavior,Behavior type,Start (s),Stop (s),Media file name\n"
    rows = "o1,10.0,fall,STATE,12.0,14.0,a.mp4\no1,10.0,walk,STATE,11.0,11.999,a.mp4\n"
    return save(folder / "aggregated.csv", head + rows)


def activitynet(folder: Path) -> Path:
    stretches = [{"segment": [1.0, 2.0], "label": "walk"}, {"segment": [2.0, 4.0], "label": "fall"}]
    video = {"duration": 9.0, "subset": "training", "url": "file:///x/a.mp4", "annotations": stretches}
    return save(folder / "net.json", {"version": "1.3", "database": {"QOlSCBRmfWY": video}})


def fiftyone(folder: Path) -> Path:
    labels = {"a": [{"label": 1, "support": [11, 20]}, {"label": 0, "timestamps": [2.0, 4.0]}]}
    return save(folder / "labels.json", {"classes": ["fall", "walk"], "labels": labels})


def mstcn(folder: Path, lines: str | None = None) -> Path:
    lines = "background\n" * 10 + "walk\n" * 10 + "fall\n" * 20 if lines is None else lines
    save(folder / "set" / "groundTruth" / "a.txt", lines)
    save(folder / "set" / "mapping.txt", "0 background\n1 walk\n2 fall\n")
    return folder / "set"


def segments(folder: Path) -> Path:
    return save(folder / "s.csv", "path,start_seconds,end_seconds,label\na.mp4,2,4,fall\na.mp4,1,2,walk\n")


def kinetics(folder: Path) -> Path:
    return save(
        folder / "k.csv", "label,youtube_id,time_start,time_end,split\nwalk,a,1,2,train\nfall,a,2,4,train\n"
    )


def ava(folder: Path) -> Path:
    """A label holds half a second round its second, so these are 0.5 s early at most: 1 becomes 0.5."""
    save(folder / "actions.pbtxt", 'item {\n  name: "walk"\n  id: 1\n}\nitem {\n  name: "fall"\n  id: 2\n}\n')
    box = "0.1,0.1,0.9,0.9"
    rows = [f"a,0001,{box},1,0", f"a,0002,{box},2,0", f"a,0003,{box},2,0", f"a,0003,{box},2,1"]
    return save(folder / "ava.csv", "\n".join(rows) + "\n")


WRITERS: dict[str, tuple[str, Callable[[Path], Path], float | None]] = {
    "label_studio": ("label_studio", label_studio, 10),
    "cvat": ("cvat", cvat, 10),
    "elan": ("elan", elan, None),
    "via": ("via", via, None),
    "boris tabular": ("boris", boris, None),
    "boris aggregated": ("boris", boris_aggregated, None),
    "activitynet": ("activitynet", activitynet, None),
    "fiftyone": ("fiftyone", fiftyone, 10),
    "mstcn": ("mstcn", mstcn, 10),
    "segments": ("segments", segments, None),
    "kinetics": ("kinetics", kinetics, None),
    "ava": ("ava", ava, None),
}


def test_every_format_is_written_here() -> None:
    assert {format for format, _, _ in WRITERS.values()} == set(TIMED_FORMATS)


@pytest.mark.parametrize("case", WRITERS)
def test_every_format_says_the_same_and_is_recognised(case: str, videos: Path, tmp_path: Path) -> None:
    format, write, fps = WRITERS[case]
    file = write(tmp_path / "labels")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is left out
        found = load_timed(file, videos=videos, labelled_fps=fps)
    shift = -0.5 if format == "ava" else 0.0
    assert of(found) == [(start + shift, end + shift, label) for start, end, label in TRUTH]
    assert set(found.labels) == {"walk", "fall"}
    assert f"{file}: read as {format}: 2 labels of 1 videos" in found.notes
    # A tool shows a video from 0; only our own tables are in the container's clock.
    assert found.videos[0].clock == ("container" if format == "segments" else "first_frame")
    other = next(name for name in TIMED_FORMATS if name != format)
    with pytest.raises(DatasetError, match=f"looks like {format}"):
        load_timed(file, videos=videos, labelled_fps=fps, format=other)


@pytest.mark.parametrize("case", WRITERS)
def test_a_name_tells_nothing_and_a_rate_is_asked_for_only_where_frames_count(
    case: str, videos: Path, tmp_path: Path
) -> None:
    format, write, fps = WRITERS[case]
    file = write(tmp_path / "labels")
    if format != "mstcn":
        file = file.rename(file.with_name("a.txt"))
    if fps is None:
        load_timed(file, videos=videos)
        with pytest.raises(DatasetError, match=r"`data\.labelled_fps` has no effect"):
            load_timed(file, videos=videos, labelled_fps=25)
    else:
        with pytest.raises(DatasetError, match=r"at which rate; give `data\.labelled_fps`"):
            load_timed(file, videos=videos)


def test_a_video_that_does_not_start_at_zero(videos: Path, tmp_path: Path) -> None:
    found = load_timed(elan(tmp_path / "l"), videos=videos).videos[0].in_container_clock(8.25)
    assert found.clock == "container"
    assert found.labels == (TimedLabel(9.25, 10.25, "walk"), TimedLabel(10.25, 12.25, "fall"))
    assert found.in_container_clock(8.25) is found


# Label Studio


def test_label_studio_says_its_rate_in_the_task_and_nobody_may_contradict_it(
    videos: Path, tmp_path: Path
) -> None:
    said = task(WALK, FALL, data={"video": "a.mp4", "fps": "20"})
    file = save(tmp_path / "e.json", [said])
    assert of(load_timed(file, videos=videos)) == [(0.5, 1.0, "walk"), (1.0, 2.0, "fall")]
    assert of(load_timed(file, videos=videos, labelled_fps=20)) == [(0.5, 1.0, "walk"), (1.0, 2.0, "fall")]
    with pytest.raises(
        DatasetError, match=r"\[0\]: says 20 frames a second, `data\.labelled_fps` 24; drop one"
    ):
        load_timed(file, videos=videos, labelled_fps=24)


def test_label_studio_reads_one_finished_annotation_a_task(videos: Path, tmp_path: Path) -> None:
    def annotation(label: str, **more: Any) -> dict[str, Any]:
        return {"result": [timeline(label, 1, 10)], "was_cancelled": False, **more}

    export = [
        task(WALK),
        {
            **task(name="b.mp4"),
            "annotations": [
                annotation("old", updated_at="2024-01-01"),
                annotation("new", updated_at="2024-02-01"),
                annotation("no", was_cancelled=True, updated_at="2025"),
            ],
        },
        {**task(name="c.mp4"), "annotations": [], "predictions": [annotation("guess")]},
    ]
    with pytest.warns(
        UserWarning, match=r"cancelled annotations \(1\).*one task.*\(1\).*nobody finished \(1\)"
    ):
        found = load_timed(save(tmp_path / "e.json", export), videos=videos, labelled_fps=10)
    assert of(found, "b.mp4") == [(0.0, 1.0, "new")]
    export[1]["annotations"][0]["ground_truth"] = True
    with pytest.warns(UserWarning):
        found = load_timed(save(tmp_path / "e.json", export), videos=videos, labelled_fps=10)
    assert of(found, "b.mp4") == [(0.0, 1.0, "old")]


def test_label_studio_seconds_on_the_sound_are_not_the_characters_of_a_text(
    videos: Path, tmp_path: Path
) -> None:
    sound = {"type": "labels", "value": {"start": 1.5, "end": 2.5, "channel": 0, "labels": ["walk"]}}
    text = {"type": "labels", "value": {"start": 3, "end": 9, "text": "a fall", "labels": ["fall"]}}
    boxes = {"type": "videorectangle", "value": {"labels": ["man"], "sequence": []}}
    file = save(tmp_path / "e.json", [task(sound, text, boxes)])
    with pytest.warns(UserWarning, match=r"type labels \(1\), results of type videorectangle \(1\)"):
        assert of(load_timed(file, videos=videos)) == [(1.5, 2.5, "walk")]


# CVAT


def test_cvat_counts_from_the_start_of_the_video_wherever_the_task_begins(
    videos: Path, tmp_path: Path
) -> None:
    file = cvat(tmp_path, meta="<start_frame>10</start_frame><stop_frame>99</stop_frame>")
    assert of(load_timed(file, videos=videos, labelled_fps=10)) == TRUTH


def test_cvat_tracks_that_come_back_and_that_end_with_the_task(videos: Path, tmp_path: Path) -> None:
    walk = track("walk", box(0), box(5, 1), box(10), box(12, 1))
    fall = track("fall", box(14), box(18))  # every second frame was shown, and the task is over
    file = cvat(tmp_path, walk, fall, meta="<frame_filter>step=2</frame_filter>")
    found = of(load_timed(file, videos=videos, labelled_fps=10))
    assert found == [(0.0, 0.5, "walk"), (1.0, 1.2, "walk"), (1.4, 2.0, "fall")]


def test_cvat_tags_of_images_that_follow_each_other(videos: Path, tmp_path: Path) -> None:
    def image(number: int, *labels: str) -> str:
        tags = "".join(f'<tag label="{label}"/>' for label in labels)
        return f'<image id="{number}" name="x">{tags}</image>'

    images = [image(0, "walk"), image(1, "walk", "fall"), image(2, "fall"), image(3), image(4, "fall")]
    found = of(load_timed(cvat(tmp_path, *images), videos=videos, labelled_fps=10))
    assert found == [(0.0, 0.2, "walk"), (0.1, 0.3, "fall"), (0.4, 0.5, "fall")]


# ELAN


def test_elan_time_origin_is_added(videos: Path, tmp_path: Path) -> None:
    file = elan(tmp_path, origin='TIME_ORIGIN="400"')
    assert of(load_timed(file, videos=videos)) == [(1.4, 2.4, "walk"), (2.4, 4.4, "fall")]
    file = elan(tmp_path, origin='TIME_ORIGIN="-1500"')  # what lies before the video is cut
    assert of(load_timed(file, videos=videos)) == [(0.0, 0.5, "walk"), (0.5, 2.5, "fall")]


def test_elan_notes_and_times_that_are_not_given_are_counted(videos: Path, tmp_path: Path) -> None:
    note = '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r" ANNOTATION_REF="x0"/></ANNOTATION>'
    note = f'<TIER TIER_ID="n">{note}</TIER>'
    file = elan(tmp_path, tiers=note, times=(1000, 2000))
    with pytest.warns(
        UserWarning, match=r"time slots have no time \(1\), annotations without times of their own \(1\)"
    ):
        assert of(load_timed(file, videos=videos)) == [(1.0, 2.0, "walk")]
    file.write_text(file.read_text().replace("milliseconds", "PAL-frames"))
    with pytest.raises(DatasetError, match=r"line 1: TIME_UNITS 'PAL-frames'"):
        load_timed(file, videos=videos)


# VIA


def test_via_regions_and_stretches_without_a_label_are_no_labels(videos: Path, tmp_path: Path) -> None:
    file = via(tmp_path, box=([3.0], {}), empty=([5.0, 6.0], {}), ticked=([7.0, 8.0], {"1": "0,1"}))
    with pytest.warns(UserWarning, match=r"regions of single frames \(1\), stretches without a label \(1\)"):
        assert of(load_timed(file, videos=videos)) == [*TRUTH, (7.0, 8.0, "fall"), (7.0, 8.0, "walk")]
    with pytest.raises(
        DatasetError, match=r"via\.json, metadata\.x\.av\.1: the number of an option is wanted, not '9'"
    ):
        load_timed(via(tmp_path, x=([1.0, 2.0], {"1": "9"})), videos=videos)


# BORIS


def test_boris_offset_is_taken_away_and_states_are_paired_by_who(videos: Path, tmp_path: Path) -> None:
    rows = [
        event(10.5, "walk", "START", offset="10.0", subject="ann"),
        event(11.5, "walk", "START", offset="10.0", subject="bob"),
        event(12, "jump", "POINT", offset="10.0"),
        event(12.5, "walk", "STOP", offset="10.0", subject="ann"),
        event(13.5, "walk", "STOP", offset="10.0", subject="bob"),
        event(14, "fall", "START", offset="10.0"),
    ]
    file = save(tmp_path / "e.tsv", (TABULAR + "".join(rows)).replace(",", "\t"))
    with pytest.warns(UserWarning, match=r"\(POINT\) \(1\), states with a START or a STOP alone \(1\)"):
        assert of(load_timed(file, videos=videos)) == [(0.5, 2.5, "walk"), (1.5, 3.5, "walk")]


def test_boris_times_of_several_files_in_one_observation_are_refused(videos: Path, tmp_path: Path) -> None:
    rows = event(1, "walk", "START") + event(2, "walk", "STOP").replace("a.mp4", "b.mp4")
    with pytest.raises(DatasetError, match=r"line 2: the observation plays 2 files"):
        load_timed(save(tmp_path / "e.csv", TABULAR + rows), videos=videos)
    hours = event(1, "walk", "START").replace(",1,", ",00:00:01.500,") + event(62, "walk", "STOP")
    assert of(load_timed(save(tmp_path / "e.csv", TABULAR + hours), videos=videos)) == [(1.5, 62.0, "walk")]


# The others


def test_activitynet_sides_and_ends(videos: Path, tmp_path: Path) -> None:
    net = json.loads(activitynet(tmp_path).read_text())
    video = net["database"]["QOlSCBRmfWY"]
    video["annotations"][1]["segment"] = [
        2.0,
        99.0,
    ]  # some are longer than their video, or end before they start
    video["annotations"].append({"segment": [5.0, 4.0], "label": "walk"})
    net["database"]["b"] = {"subset": "testing", "annotations": []}
    with pytest.warns(UserWarning, match=r"labels without length.*\(1\), videos for testing.*\(1\)"):
        found = load_timed(save(tmp_path / "n.json", net), videos=videos)
    assert of(found) == [(1.0, 2.0, "walk"), (2.0, 9.0, "fall")] and found.videos[0].split == "train"


def test_mstcn_splits_are_folds_or_the_asked_ones_sides(videos: Path, tmp_path: Path) -> None:
    folder = mstcn(tmp_path)
    save(folder / "groundTruth" / "b.txt", "walk\n" * 5)
    for number, (train, test) in enumerate([("a", "b"), ("b", "a")], start=1):
        save(folder / "splits" / f"train.split{number}.bundle", f"{train}.txt\n")
        save(folder / "splits" / f"test.split{number}.bundle", f"{test}.txt\n")
    found = load_timed(folder, videos=videos, labelled_fps=10)
    assert found.labels == ("walk", "fall"), "the order of mapping.txt"
    assert [(v.name, v.fold, v.split) for v in found.videos] == [("a.mp4", 2, None), ("b.mp4", 1, None)]
    found = load_timed(folder, videos=videos, labelled_fps=10, fold=2)
    assert [(v.fold, v.split) for v in found.videos] == [(None, "test"), (None, "train")]
    with pytest.raises(DatasetError, match=r"no official split 3; `data\.fold` can be 1, 2"):
        load_timed(folder, videos=videos, labelled_fps=10, fold=3)
    save(folder / "groundTruth" / "b.txt", "walk\nwolk\n")
    with pytest.raises(DatasetError, match=r"b\.txt, line 2: label 'wolk' is not in mapping"):
        load_timed(folder, videos=videos, labelled_fps=10)


def test_a_table_of_segments_has_sides_and_videos_in_which_nothing_happens(
    videos: Path, tmp_path: Path
) -> None:
    head = "path,start_seconds,end_seconds,label,group,fold,split\n"
    file = save(tmp_path / "s.csv", head + "a.mp4,1,2,walk,g,0,\nb.mp4,,,,h,1,\n")
    found = load_timed(file, videos=videos, fold=1)
    assert [(v.group, v.fold, len(v.labels)) for v in found.videos] == [("g", 0, 1), ("h", 1, 0)]
    with pytest.raises(DatasetError, match=r"there is no fold 7; `data\.fold` can be 0, 1"):
        load_timed(file, videos=videos, fold=7)
    for row, words in {
        "a.mp4,3,4,walk,g,1,": "line 4: another group, fold or split than in .*line 2",
        "a.mp4,3,,walk,g,0,": "line 4: start_seconds, end_seconds and label must all be given",
        "a.mp4,3,2,walk,g,0,": "line 4: end_seconds 2 is not after start_seconds 3",
        "gone.mp4,3,4,walk,,,": r"line 4: gone\.mp4 is not a video below .*videos",
    }.items():
        with pytest.raises(DatasetError, match=words):
            load_timed(save(tmp_path / "t.csv", f"{file.read_text()}{row}\n"), videos=videos)


def test_what_predict_writes_is_about_the_video_of_its_name(videos: Path, tmp_path: Path) -> None:
    file = save(tmp_path / "a.csv", "start_seconds,end_seconds,label,probability\n1.0,2.0,walk,0.9\n")
    assert of(load_timed(file, videos=videos)) == [(1.0, 2.0, "walk")]


def test_files_of_one_video_are_put_together_and_a_folder_is_all_of_its_files(
    videos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "labels"
    elan(folder), via(folder)
    save(folder / "b.json", {"labels": {"b": [{"label": "x", "timestamps": [0, 1]}]}})
    found = load_timed(folder, videos=videos)
    assert of(found) == TRUTH and of(found, "b.mp4") == [(0.0, 1.0, "x")] and len(found.notes) == 3
    segments(folder)
    with pytest.raises(DatasetError, match=r"a\.mp4 has another clock, group, fold or split in .*a\.eaf"):
        load_timed(folder, videos=videos)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the exports lie beside the project")
def test_real_exports_agree_with_the_truth(tmp_path: Path) -> None:
    with (SHARED / "truth.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        (tmp_path / row["path"]).touch()
    truth: Said = [(float(row["start_seconds"]), float(row["end_seconds"]), row["label"]) for row in rows]
    exports: dict[str, tuple[float | None, float]] = {  # rate, and the loss in seconds that the README states
        "label_studio/timeline_frames.json": (None, 0),
        "label_studio/audio_sync_seconds.json": (None, 0),
        "label_studio/timeline_frames_default_rate.json": (24, 0.02),
        "cvat/for_video_20200626_175151.xml": (25, 0),
        "cvat/for_video_20200627_185209.xml": (25, 0),
        "cvat/for_images_20200626_175151.xml": (25, 0),
        "fiftyone": (25, 0),
        "activitynet": (None, 0),
        "elan": (None, 0),
        "via": (None, 0),
        "boris/aggregated.csv": (None, 0),
        "boris": (None, 0),
        "ms_tcn": (25, 0),
        "kinetics": (None, 0.99),
        "ava": (None, 0.5),
        "truth.csv": (None, 0),
    }
    for name, (fps, loss) in exports.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = load_timed(SHARED / name, videos=tmp_path, labelled_fps=fps)
        there = {video.name for video in found.videos}
        wanted = [said for said, row in zip(truth, rows, strict=True) if row["path"] in there]
        said = [label for name in sorted(there) for label in of(found, name)]
        assert [label for _, _, label in said] == [label for _, _, label in wanted], name
        for one, other in zip(said, wanted, strict=True):
            assert one[:2] == pytest.approx(other[:2], abs=loss + 1e-6), name
