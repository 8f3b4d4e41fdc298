"""The spelling of one network or several is read in one place, and written back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.backbones.parts import Part, joined, parse_parts, sources, without_track_pose
from vidlstm.errors import SettingsError
from vidlstm.settings import BackboneSettings

NAMES = st.lists(
    st.sampled_from(["resnet18", "yolo:pose", "timm:resnet18.a1_in1k", "my.module:net", "resnet18:motion"]),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize(
    ("name", "weights", "parts"),
    [
        ("resnet18", None, [Part("resnet18")]),
        ("resnet18", "", [Part("resnet18")]),
        ("resnet18", "a+b.pth", [Part("resnet18", weights="a+b.pth")]),
        ("resnet18:motion", "random", [Part("resnet18", "motion", "random")]),
        ("my.module:net:motion", None, [Part("my.module:net", "motion")]),
        ("yolo:pose+resnet18", "y.pt+", [Part("yolo:pose", weights="y.pt"), Part("resnet18")]),
        ("yolo:pose+resnet18", None, [Part("yolo:pose"), Part("resnet18")]),
        ("track:pose+resnet18", "r.pth", [Part("track:pose"), Part("resnet18", weights="r.pth")]),
    ],
)
def test_what_is_spelled_is_read(name: str, weights: str | None, parts: list[Part]) -> None:
    assert parse_parts(name, weights) == parts


@given(NAMES, st.data())
def test_what_is_read_is_spelled_the_same(names: list[str], data: st.DataObject) -> None:
    files = data.draw(
        st.lists(st.sampled_from(["", "a.pth", "/b c/d.pt"]), min_size=len(names), max_size=len(names))
    )
    parts = parse_parts(joined(names), joined(files))
    assert [part.spelling for part in parts] == names
    assert [part.weights or "" for part in parts] == files
    assert sources(joined(files), len(files)) == files


@pytest.mark.parametrize("weights", ["a.pth", "a+b+c"])
def test_as_many_weights_as_networks(weights: str) -> None:
    with pytest.raises(SettingsError, match=r"joins 2 networks and `backbone\.weights` [13]"):
        parse_parts("resnet18+resnet34", weights)


def test_places_that_do_not_fit_are_none() -> None:
    assert sources("a.pth", 2) == sources("a+b+c", 2) == ["", ""]
    assert sources("a+b.pth", 1) == ["a+b.pth"]


def test_the_pose_of_tracked_objects_is_taken_out() -> None:
    settings = BackboneSettings(name="track:pose+resnet18+yolo:pose:motion", weights="a+b", size=64)
    pose, rest = without_track_pose(settings)
    assert pose
    assert rest == BackboneSettings(name="resnet18+yolo:pose:motion", weights="a+b", size=64)
    assert without_track_pose(BackboneSettings(name="track:pose")) == (True, None)
    assert without_track_pose(BackboneSettings()) == (False, BackboneSettings())
