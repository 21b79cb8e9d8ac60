"""A rendered picture is what its truth says it is."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from engine.document.records import Instance
from engine.synth.anything import WIDE
from engine.synth.backgrounds import Ground
from engine.synth.geometry import rotation_about
from engine.synth.grounds import GROUNDS, Split
from engine.synth.layout import HeightMap, Placed
from engine.synth.light import Light, room
from engine.synth.materials import metal
from engine.synth.parts import BUILDERS, Part
from engine.synth.raster import Drawn, draw
from engine.synth.scene import TEST_OBJECTS, TEST_OCCLUDED, render, visible_fraction
from engine.synth.views import Camera, along_light, covered, over_tray

SMALL = (256, 192)


def some_part(name: str, seed: int = 0) -> Part:
    rng = np.random.default_rng(seed)
    return BUILDERS[name](metal("zinc", rng), rng)


def lying(part: Part, x: float, y: float, z: float = 0.0) -> Placed:
    rotation = np.eye(3, dtype=np.float32)
    lift = 0.0
    if part.lies_along:
        rotation = rotation_about((0, 1, 0), math.pi / 2)
        lift = max(r for _z, r in part.outline)
    at_origin = Placed(part, rotation, np.zeros(3, dtype=np.float32))
    return Placed(part, rotation, np.array([x, y, z + lift], dtype=np.float32) - at_origin.middle * (1, 1, 0))


def from_above() -> Camera:
    return over_tray((400, 300), field=100, tilt=0.0, heading=math.pi / 2, distance=3.0)


def a_light(towards: tuple[float, float, float]) -> Light:
    light = room(np.random.default_rng(5), (0.3, 0.3, 0.3))
    unit = np.array(towards, dtype=np.float32) / np.float32(np.linalg.norm(towards))
    return Light(unit, 0.03, light.key_rgb, light.sky_rgb, light.floor_rgb, light.mirrors)


def drawn(placed: list[Placed], light: Light | None = None) -> Drawn:
    camera = from_above()
    up = np.array([0, 0, 1], dtype=np.float32)
    heights = HeightMap(along_light(up, camera, texel=0.6, margin=10.0))
    for item in placed:
        heights.add(*heights.footprint(item), labelled=True)
    flat = Ground(np.full((400, 400, 3), 0.4, dtype=np.float32), np.zeros((400, 400), dtype=np.float32))
    origin = np.array([-60, -60], dtype=np.float32)
    return draw(
        np.random.default_rng(1),
        camera,
        light or a_light((0.3, 0.2, 1)),
        placed,
        heights,
        flat,
        origin=origin,
        texel=0.3,
        supersampling=2,
    )


def full(instance: Instance, size: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    assert instance.mask is not None
    return np.asarray(instance.mask.to_full(size[1], size[0]))


def test_that_the_same_seed_gives_the_same_picture_and_truth() -> None:
    first, again = (render(7, split="train", size=SMALL, extra_class=True) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert first.instances == again.instances


def test_that_another_seed_or_split_gives_another_picture() -> None:
    one = render(7, split="train", size=SMALL).image
    assert not np.array_equal(one, render(8, split="train", size=SMALL).image)
    assert not np.array_equal(one, render(7, split="test", size=SMALL).image)


@pytest.mark.parametrize("split", ["train", "wide"])
def test_that_no_ground_of_the_test_pictures_is_trained_on(split: Split) -> None:
    assert not GROUNDS[split].keys() & GROUNDS["test"].keys()
    assert not set(GROUNDS[split].values()) & set(GROUNDS["test"].values())


@pytest.mark.parametrize("name", WIDE)
def test_that_a_wide_ground_is_a_fair_patch_of_floor_and_the_same_for_the_same_seed(name: str) -> None:
    shape = (120, 170)
    first, again = (WIDE[name](np.random.default_rng(3), shape, 0.4) for _ in range(2))
    assert first.albedo.shape == (*shape, 3)
    assert first.bump.shape == shape
    assert np.isfinite(first.albedo).all()
    assert np.isfinite(first.bump).all()
    assert first.albedo.min() >= 0
    assert first.albedo.max() <= 1.2
    assert np.array_equal(first.albedo, again.albedo)
    assert not np.array_equal(first.albedo, WIDE[name](np.random.default_rng(4), shape, 0.4).albedo)


@pytest.mark.parametrize("seed", range(3))
def test_that_a_picture_lies_on_a_ground_of_its_split(seed: int) -> None:
    assert render(seed, split="train", size=SMALL).ground in GROUNDS["train"]
    assert render(seed, split="test", size=SMALL).ground in GROUNDS["test"]


@pytest.mark.parametrize("seed", range(100, 106))
def test_that_a_test_picture_holds_enough_objects_and_enough_of_them_occluded(seed: int) -> None:
    scene = render(seed, split="test", size=SMALL)
    hidden = [i for i in scene.instances if visible_fraction(i) < 0.95]
    assert len(scene.instances) >= TEST_OBJECTS == 8
    assert len(hidden) >= TEST_OCCLUDED * len(scene.instances)
    assert TEST_OCCLUDED == 0.2


@pytest.mark.parametrize("seed", range(4))
def test_that_true_masks_lie_within_the_picture_and_share_no_pixel(seed: int) -> None:
    scene = render(seed, split="test", size=SMALL, extra_class=True)
    assert scene.image.shape == (192, 256, 3)
    assert scene.image.dtype == np.uint8
    times = np.sum([full(i, SMALL) for i in scene.instances], axis=0)
    # A pixel that two parts cover by exactly a half each is both's: at most a thread's outline.
    assert (times > 1).mean() < 0.005
    assert times.max() <= 2
    assert {i.class_id for i in scene.instances} <= {c.id for c in scene.classes}


def test_that_springs_lie_only_where_they_are_asked_for() -> None:
    def names(*, extra_class: bool) -> set[str]:
        found = set()
        for seed in range(3):
            scene = render(seed, split="test", size=(96, 72), extra_class=extra_class)
            by_id = {c.id: c.name for c in scene.classes}
            found |= {by_id[i.class_id] for i in scene.instances}
        return found

    known = {"bolt", "nut", "washer", "screw"}
    assert names(extra_class=False) == known
    assert names(extra_class=True) == {*known, "spring"}


@pytest.mark.parametrize("name", ["washer", "nut"])
def test_that_a_hole_shows_the_ground(name: str) -> None:
    owners = drawn([lying(some_part(name), 0, 0)]).owners
    assert owners[150, 200] == -1
    outlines, nesting = cv2.findContours(
        (owners == 0).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    assert len(outlines) == 2
    assert sorted(nesting[0, :, 3]) == [-1, 0]


@pytest.mark.parametrize("upper_first", [False, True])
def test_that_what_lies_on_top_hides_what_lies_below_and_the_hidden_share_is_known(upper_first: bool) -> None:
    below, above = lying(some_part("washer"), 0, 0), lying(some_part("bolt"), 0, 0, z=3)
    alone = np.count_nonzero(drawn([below]).owners == 0)
    both = drawn([above, below] if upper_first else [below, above])
    upper, lower = (0, 1) if upper_first else (1, 0)
    assert both.sizes[lower] == alone
    assert np.count_nonzero(both.owners == lower) < 0.9 * alone
    assert np.count_nonzero(both.owners == upper) == both.sizes[upper]


@pytest.mark.parametrize("towards", [(1, 0, 1), (-1, 0, 1), (0, 1, 1), (0, -1, 1)])
def test_that_shadows_fall_away_from_the_light(towards: tuple[float, float, float]) -> None:
    part = some_part("nut", 3)
    picture = drawn([lying(part, 0, 0)], a_light(towards))
    centre_row, centre_column = 150, 200
    reach = round((part.reach + 1.5) * 4)  # 4 pixels a mm
    # The picture's rows run towards the viewer, against y.
    row, column = centre_row + round(reach * towards[1]), centre_column - round(reach * towards[0])
    opposite_row, opposite_column = 2 * centre_row - row, 2 * centre_column - column
    assert picture.owners[row, column] == picture.owners[opposite_row, opposite_column] == -1
    shaded = picture.rgb[row - 2 : row + 3, column - 2 : column + 3].mean()
    lit = picture.rgb[opposite_row - 2 : opposite_row + 3, opposite_column - 2 : opposite_column + 3].mean()
    assert shaded < 0.75 * lit


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_that_nothing_of_a_part_lies_outside_its_hull_or_its_balls(name: str) -> None:
    # Rays are cast only where the hull and the pieces' balls are: what reaches beyond would be cut off.
    camera = from_above()
    everywhere = np.arange(camera.width * camera.height, dtype=np.int32)
    for seed in range(3):
        placed = lying(some_part(name, seed), 0, 0)
        pieces = tuple(replace(piece, ball=None) for piece in placed.part.pieces)
        whole = replace(placed, part=replace(placed.part, pieces=pieces))
        cast, _start = camera.rays(everywhere, placed.middle)
        distances = whole.cast(cast)[0]
        np.testing.assert_array_equal(placed.cast(cast)[0], distances)
        assert np.isin(np.flatnonzero(np.isfinite(distances)), covered(camera, placed.hull)).all()
