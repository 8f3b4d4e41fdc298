"""The folders, file names and annotation files of the real datasets, with files of a few bytes.

Names and line formats are those of the official releases (including HMDB51's trailing blanks and UCF101's
class ``HandstandPushups``, whose files are spelt ``v_HandStandPushups``). Nothing here can be decoded; see
``videos.py`` for files that can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """A dataset on disk and what a loader must find in it.

    Attributes:
        arguments: what ``load_dataset`` takes beside the format.
        labels: the classes in the order a loader must give.
        sides: the side of every clip by its name, ``None`` where the layout does not say.
        label_of: the class of every clip by its name.
        groups: the clips of each source that the layout tells of.
    """

    arguments: dict[str, Path | int]
    labels: tuple[str, ...]
    label_of: dict[str, str]
    sides: dict[str, str | None]
    groups: list[set[str]] = field(default_factory=list)


def touch(path: Path) -> Path:
    """Makes a tiny file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"tiny")
    return path


def write(path: Path, lines: Iterable[str]) -> Path:
    """Writes a text file line by line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def frames(folder: Path, count: int = 3, suffix: str = "jpg") -> Path:
    """Makes a folder of frame images, ``img_00001.jpg`` and on."""
    for index in range(1, count + 1):
        touch(folder / f"img_{index:05d}.{suffix}")
    return folder


def folder(tmp: Path) -> Layout:
    """One folder per class, with a folder of frame images and hidden files among the videos."""
    root = tmp / "folder"
    label_of = {f"{label}/{i}.mp4": label for label in ("jump", "run") for i in range(3)}
    for name in label_of:
        touch(root / name)
    frames(root / "run" / "as_frames")
    for litter in (".DS_Store", "run/.hidden.mp4", "run/Thumbs.db", ".cache/run/4.mp4"):
        touch(root / litter)
    label_of["run/as_frames"] = "run"
    return Layout({"root": root}, ("jump", "run"), label_of, dict.fromkeys(label_of))


def split_folders(tmp: Path) -> Layout:
    """``train``, ``val`` and ``test`` with one folder per class in each."""
    root = tmp / "split_folders"
    sides = {"train": "train", "val": "validation", "test": "test"}
    clips = [(side, label, i) for side in sides for label in ("jump", "run") for i in range(2)]
    for side, label, i in clips:
        touch(root / side / label / f"{i}.mp4")
    label_of = {f"{side}/{label}/{i}.mp4": label for side, label, i in clips}
    side_of = {f"{side}/{label}/{i}.mp4": sides[side] for side, label, i in clips}
    return Layout({"root": root}, ("jump", "run"), label_of, side_of)


def csv(tmp: Path) -> Layout:
    """A CSV file with every column, as a spreadsheet on Windows writes it (mark, CRLF, quotes)."""
    root = tmp / "csv"
    rows, label_of = [], {}
    for i in range(8):
        name, label = f"clips/a, {i}.mp4", ("jump", "run")[i % 2]
        touch(root / name)
        rows.append(f'{i % 4 // 2},{label},"{name}",0.5,2.5,source{i // 2}')
        label_of[name] = label
    text = "\ufefffold,label,path,start_seconds,end_seconds,group\r\n" + "".join(f"{row}\r\n" for row in rows)
    file = root / "clips.csv"
    file.write_bytes(text.encode("utf-8"))
    pairs = [{f"clips/a, {i}.mp4", f"clips/a, {i + 1}.mp4"} for i in range(0, 8, 2)]
    return Layout(
        {"root": root, "annotations": file}, ("jump", "run"), label_of, dict.fromkeys(label_of), pairs
    )


UCF101_CLASSES = ("ApplyEyeMakeup", "Archery", "HandstandPushups", "YoYo")


def ucf101(tmp: Path) -> Layout:
    """UCF101: four of its classes, ten groups of two clips; split 1 tests on groups 1 to 3."""
    root, lists = tmp / "UCF-101", tmp / "ucfTrainTestlist"
    sides: dict[str, str | None] = {}
    groups: list[set[str]] = []
    for label in UCF101_CLASSES:
        spelling = label.replace("HandstandPushups", "HandStandPushups")
        for group in range(1, 11):
            pair = {f"{label}/v_{spelling}_g{group:02d}_c{clip:02d}.avi" for clip in (1, 2)}
            groups.append(pair)
            sides.update(dict.fromkeys(sorted(pair), "test" if group <= 3 else "train"))
    for name in sides:
        touch(root / name)
    numbers = {label: i for i, label in enumerate(UCF101_CLASSES, start=1)}
    write(lists / "classInd.txt", (f"{number} {label}" for label, number in numbers.items()))
    for split in (1, 2, 3):
        train = [n for n, side in sides.items() if (side == "train") == (split == 1)]
        write(lists / f"trainlist{split:02d}.txt", (f"{n} {numbers[n.split('/')[0]]}" for n in train))
        write(lists / f"testlist{split:02d}.txt", (n for n in sides if n not in train))
    arguments: dict[str, Path | int] = {"root": root, "annotations": lists, "fold": 1}
    return Layout(arguments, UCF101_CLASSES, {n: n.split("/")[0] for n in sides}, sides, groups)


HMDB51_FILMS = (
    "Amazing_Soccer_#2",
    "Goal_1_&_2",
    "FOOT_2009_(REMI_GAILLARD)",
    "likebeckam",
    "A_run_in_the_park",
)


def hmdb51(tmp: Path) -> Layout:
    """HMDB51: three of its actions, one of which is part of another's name; odd names; unused clips."""
    root, lists = tmp / "hmdb51_org", tmp / "testTrainMulti_7030_splits"
    actions = ("kick", "kick_ball", "run")
    sides: dict[str, str | None] = {}
    groups: list[set[str]] = []
    for action in actions:
        lines = []
        for number, film in enumerate(HMDB51_FILMS):
            tags = enumerate(("bad", "med", "goo"))
            names = [f"{film}_{action}_f_cm_np1_ba_{quality}_{i}.avi" for i, quality in tags]
            side = 2 if number == 0 else 1
            lines += [f"{names[0]} {side} ", f"{names[1]} {side} ", f"{names[2]} 0 "]
            groups.append({f"{action}/{name}" for name in names[:2]})
            sides.update({f"{action}/{name}": ("train", "test")[side - 1] for name in names[:2]})
            for name in names:
                touch(root / action / name)
        for split in (1, 2, 3):
            write(lists / f"{action}_test_split{split}.txt", lines)
    arguments: dict[str, Path | int] = {"root": root, "annotations": lists, "fold": 1}
    return Layout(arguments, actions, {n: n.split("/")[0] for n in sides}, sides, groups)


KINETICS_CLIPS = (
    ("abseiling", "0347ZoDXyP0", 95, 105, "train"),
    ("abseiling", "-3B32lodo2M", 59, 69, "validate"),
    ("massaging person's head", "_4AFcM_z-Bk", 7, 17, "train"),
    ("massaging person's head", "00cwYMqgYcA", 0, 10, "validate"),
    ("playing drums", "KsVtjxFRr1Q", 1, 11, "train"),
    ("playing drums", "zzfb8-T8Cds", 120, 130, "validate"),
)


def kinetics(tmp: Path, place: Callable[[str, str], str] | None = None, stem: str = "trimmed") -> Layout:
    """Kinetics: three classes from train.csv and validate.csv, one clip of each and side.

    Args:
        tmp: where to put it.
        place: the folder of a clip from its label and split; the layout of the usual crawler by default.
        stem: ``trimmed`` for ``<id>_<start>_<end>.mp4``, ``whole`` for ``<id>.mp4``.
    """
    root, lists = tmp / "kinetics", tmp / "lists"
    header = "label,youtube_id,time_start,time_end,split,is_cc"
    rows: dict[str, list[str]] = {"train": [header], "validate": [header]}
    label_of, sides = {}, {}
    for label, video, start, end, split in KINETICS_CLIPS:
        rows[split].append(f"{label},{video},{start},{end},{split},0")
        name = f"{video}_{start:06d}_{end:06d}.mp4" if stem == "trimmed" else f"{video}.mp4"
        name = f"{place(label, split) if place else f'{split}/{label}'}/{name}"
        touch(root / name)
        label_of[name], sides[name] = label, {"validate": "validation"}.get(split, split)
    for split, lines in rows.items():
        write(lists / f"{split}.csv", lines)
    labels = tuple(sorted({clip[0] for clip in KINETICS_CLIPS}))
    return Layout({"root": root, "annotations": lists}, labels, label_of, sides)


LAYOUTS: dict[str, tuple[str, Callable[[Path], Layout]]] = {
    "folder": ("folder", folder),
    "split folders": ("folder", split_folders),
    "csv": ("csv", csv),
    "features": ("features", csv),
    "ucf101": ("ucf101", ucf101),
    "hmdb51": ("hmdb51", hmdb51),
    "kinetics": ("kinetics", kinetics),
}
"""A name for the test, the format, and what makes it. A new format is one more line."""
