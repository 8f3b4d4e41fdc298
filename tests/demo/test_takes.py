"""Takes: the order pair differs in order alone, and a seed gives the same pixels again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vidlstm.demo.actions import ACTIONS, ORDER_PAIR
from vidlstm.demo.figures import brightness, random_figure
from vidlstm.demo.rooms import random_room
from vidlstm.demo.takes import random_take

SIT, STAND = ORDER_PAIR


@pytest.mark.parametrize("figure", range(12))
def test_the_order_pair_is_one_clip_forwards_and_backwards(figure: int) -> None:
    sit, stand = random_take(0, figure, SIT, 0), random_take(0, figure, STAND, 0)
    assert stand.poses() == sit.poses()[::-1]
    assert sit.poses() != sit.poses()[::-1]


def test_the_order_pair_has_the_same_pixels_in_the_other_order() -> None:
    sit, stand = (np.stack(random_take(3, 5, action, 1).frames()) for action in ORDER_PAIR)
    np.testing.assert_array_equal(stand, sit[::-1])
    assert (sit[0] != sit[-1]).any(axis=-1).mean() > 0.02  # more than noise: another pose


@pytest.mark.parametrize("figure", range(12))
def test_sitting_down_begins_standing_and_ends_seated(figure: int) -> None:
    """With a pause at both ends, so that no window need show the whole movement."""
    poses = random_take(1, figure, SIT, 0).poses()
    assert poses[0] == poses[1]
    assert poses[-1] == poses[-2]
    assert poses[0].left_leg.thigh < 1 < 80 < poses[-1].left_leg.thigh


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_take_gives_the_same_pixels_again_and_others_for_another_seed(action: str) -> None:
    first, again, other = (np.stack(random_take(s, 4, action, 0).frames()[:4]) for s in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.uint8
    assert first.shape[1:] == (256, 256, 3)
    assert (first != other).mean() > 0.1


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_the_figure_moves(action: str) -> None:
    take = random_take(0, 2, action, 0)
    still = replace(take, film=replace(take.film, noise=0.0))
    frames = np.stack(still.frames()).astype(int)
    assert np.abs(np.diff(frames, axis=0)).max(axis=(1, 2, 3)).max() > 40


@pytest.mark.parametrize("seed", range(40))
def test_clothes_and_skin_stand_out_from_the_wall(seed: int) -> None:
    wall = brightness(random_room(seed).wall)
    figure = random_figure(seed, wall)
    for colour, least in ((figure.shirt, 50), (figure.trousers, 50), (figure.skin, 30)):
        assert abs(brightness(colour) - wall) >= least


def test_nearly_all_of_the_figure_is_in_the_picture() -> None:
    """The bounding box of what moves lies within the frame, for nine clips of ten."""
    inside = []
    for figure in range(6):
        for action in ACTIONS:
            take = random_take(0, figure, action, 0)
            frames = np.stack(replace(take, film=replace(take.film, noise=0.0)).frames()).astype(int)
            rows, columns = np.nonzero(np.abs(frames - frames[0]).max(axis=(0, 3)) > 20)
            inside.append(columns.min() > 0 and columns.max() < 255 and rows.min() > 0)
    assert np.mean(inside) > 0.9
