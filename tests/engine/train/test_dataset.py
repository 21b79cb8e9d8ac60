"""Samples, their order, the split and the sizes that follow from the data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from engine.document.masks import Mask
from engine.document.records import IgnoreRegion, Instance
from engine.errors import DataError, MediaError
from engine.formats.coco import write_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.augment import training_sample
from engine.train.dataset import Dataset, batch_indices, sample_of
from engine.train.recipe import Recipe
from engine.train.sample import Crop, Sample, cut
from engine.train.sizing import Sizes, choose_sizes
from engine.train.sources import check_apart, hold_out, load_labelled, split, write_split
from tests.engine.train.toy import DISC, SIDE, disc, toy_set


def fake_set(count: int, *, wide: int = 0) -> LabelledSet:
    """Images that are never read; every second one wide if asked."""
    images = [
        LabelledImage(
            Path(f"p{i}.png"),
            200 if wide and i % 2 else 100,
            100,
            (Instance(i + 1, DISC.id, disc(48, 48, 20)),),
        )
        for i in range(count)
    ]
    return LabelledSet((DISC,), tuple(images))


def a_dataset(labelled: LabelledSet, side: int = 96) -> Dataset:
    return Dataset(labelled.images, {DISC.id: 1}, min_size=side, max_size=2 * side)


def test_that_a_sample_holds_what_the_records_say(tmp_path: Path) -> None:
    (image,) = toy_set(tmp_path, 1).images
    image = dataclasses.replace(image, ignore=(IgnoreRegion(1, disc(10, 80, 5)),))
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    sample = sample_of(image, pixels, {DISC.id: 1})
    assert sample.labels.tolist() == [1, 1]
    for box, crop, one in zip(sample.boxes_xyxy, sample.crops, image.instances, strict=True):
        assert one.mask is not None
        assert crop is not None
        assert tuple(box) == one.mask.box_xyxy == crop.box_xyxy
        assert np.array_equal(crop.bitmap, one.mask.bitmap)
    assert sample.ignore[0].bitmap.sum() == image.ignore[0].mask.area


def test_that_a_picture_of_another_size_than_its_labels_is_named(tmp_path: Path) -> None:
    (image,) = toy_set(tmp_path, 1).images
    other = dataclasses.replace(image, width=SIDE + 1)
    with pytest.raises(DataError, match=r"toy0\.png is 96 x 96"):
        a_dataset(LabelledSet((DISC,), (other,)))[0]


def test_that_a_picture_that_is_missing_is_named(tmp_path: Path) -> None:
    labelled = toy_set(tmp_path, 1)
    labelled.images[0].path.unlink()
    with pytest.raises(MediaError, match=r"toy0\.png"):
        a_dataset(labelled)[0]


def test_that_large_pictures_are_kept_small_with_their_truth(tmp_path: Path) -> None:
    sample = a_dataset(toy_set(tmp_path, 1), side=48)[0]
    assert sample.shape == (48, 48)
    crop = sample.crops[0]
    assert crop is not None
    assert crop.box_xyxy == tuple(sample.boxes_xyxy[0])
    assert crop.bitmap.shape == (29, 29)  # the person's own pixels


def test_that_every_picture_comes_once_an_epoch_in_an_order_of_its_own() -> None:
    data = a_dataset(fake_set(31, wide=1))
    epochs = [
        [i for step in range(e * 15, (e + 1) * 15) for i in batch_indices(data, 2, seed=3, step=step)]
        for e in range(3)
    ]
    assert all(len(set(epoch)) == 30 for epoch in epochs)
    assert epochs[0] != epochs[1]
    again = [i for step in range(15) for i in batch_indices(data, 2, seed=3, step=step)]
    assert again == epochs[0]


def test_that_like_shapes_share_a_batch() -> None:
    data = a_dataset(fake_set(32, wide=1))
    mixed = sum(
        len({data.aspect(i) for i in batch_indices(data, 2, seed=0, step=step)}) > 1 for step in range(16)
    )
    assert mixed <= 2


def test_that_augmentation_keeps_truth_and_pixels_together(tmp_path: Path) -> None:
    sample = a_dataset(toy_set(tmp_path, 1))[0]
    seen = set()
    for seed in range(24):
        recipe, sizes = Recipe(), Sizes(96, 192, 16)
        other = training_sample([sample], 0, np.random.default_rng(seed), recipe, sizes)
        seen.add(other.shape)
        for x0, y0, x1, y1 in other.boxes_xyxy:
            middle = other.image[int((y0 + y1) / 2), int((x0 + x1) / 2)]
            assert middle[0] > 120 > middle[2]  # the disc's colour, not the dark ground's
    assert len(seen) > 4
    assert max(seen) == (96, 96)  # enlarged, it is cut: a step costs no more


def test_that_small_objects_get_a_larger_side_and_smaller_anchors() -> None:
    people = LabelledSet((DISC,), (sized(500, 400, 150),))
    nuclei = LabelledSet((DISC,), (sized(256, 256, 12),))
    large, small = choose_sizes(people.images, "cpu"), choose_sizes(nuclei.images, "cpu")
    assert (large.min_size, large.anchor_base) == (256, 32)
    assert small.min_size > large.min_size
    assert small.anchor_base < large.anchor_base
    assert choose_sizes(nuclei.images, "cpu", side=320).min_size == 320


def test_that_steps_look_at_windows_where_objects_are_small() -> None:
    people = LabelledSet((DISC,), (sized(500, 400, 150),))
    nuclei = LabelledSet((DISC,), (sized(256, 256, 12),))
    assert choose_sizes(people.images, "cpu").window is None
    assert choose_sizes(nuclei.images, "cpu").window == 256


def test_that_a_window_shows_no_more_than_it_holds(tmp_path: Path) -> None:
    sample = a_dataset(toy_set(tmp_path, 1))[0]
    recipe, sizes = Recipe(window_on_object=0.0), Sizes(96, 192, 16, window=40)
    counts = set()
    for seed in range(60):
        other = training_sample([sample], 0, np.random.default_rng(seed), recipe, sizes)
        assert other.shape == (40, 40)
        counts.add(len(other.labels))
        for box, crop in zip(other.boxes_xyxy, other.crops, strict=True):
            assert box.min() >= 0
            assert box.max() <= 40
            assert crop is not None
            bright = other.image[:, :, 0] > 120
            x0, y0, x1, y1 = (int(v) for v in box.round())
            assert bright[y0:y1, x0:x1].mean() > 0.5
    assert counts >= {0, 1}


def test_that_a_window_cuts_masks_as_it_cuts_pixels() -> None:
    chance = np.random.default_rng(2)
    full = chance.random((60, 80)) > 0.6
    mask = Mask.from_full(full)
    crop = Crop(mask.bitmap.view(np.uint8), mask.box_xyxy)
    sample = Sample(
        np.repeat(full[:, :, None], 3, axis=2).astype(np.uint8),
        np.array([crop.box_xyxy], np.float32),
        np.ones(1, np.int64),
        (crop,),
    )
    part = cut(sample, 13, 7, 30, 41)
    seen = Mask.from_full(part.image[:, :, 0] > 0)
    assert part.crops[0] is not None
    assert np.array_equal(part.crops[0].bitmap.astype(np.bool_), seen.bitmap)
    assert tuple(part.boxes_xyxy[0]) == part.crops[0].box_xyxy == seen.box_xyxy
    empty = dataclasses.replace(sample, crops=(Crop(np.ones((5, 5), np.uint8), (0.0, 0.0, 5.0, 5.0)),))
    assert cut(empty, 20, 20, 30, 30).labels.tolist() == []
    assert cut(empty, 20, 20, 30, 30).ignore == ()
    sliver = cut(empty, 4, 4, 30, 30)
    assert (sliver.labels.tolist(), len(sliver.ignore)) == (
        [],
        1,
    )  # a pixel of 25: nobody's, and not background


def sized(width: int, height: int, side: int) -> LabelledImage:
    mask = Mask.from_crop(5, 5, np.ones((side, side), np.bool_))
    return LabelledImage(Path("x.png"), width, height, (Instance(1, DISC.id, mask),))


def test_that_a_split_follows_from_seed_and_names_alone() -> None:
    labelled = fake_set(40)
    kept, gone = split(labelled, 0.25, seed=1)
    assert len(gone.images) == 10
    assert {i.path for i in kept.images} | {i.path for i in gone.images} == {i.path for i in labelled.images}
    shuffled = labelled.with_images(tuple(reversed(labelled.images)))
    assert {i.path for i in split(shuffled, 0.25, seed=1)[1].images} == {i.path for i in gone.images}
    assert {i.path for i in split(labelled, 0.25, seed=2)[1].images} != {i.path for i in gone.images}


def test_that_a_split_leaves_something_on_either_side() -> None:
    kept, gone = split(fake_set(2), 0.01, seed=0)
    assert (len(kept.images), len(gone.images)) == (1, 1)
    with pytest.raises(DataError, match="cannot be split"):
        split(fake_set(1), 0.5, seed=0)


def test_that_the_split_is_written_by_name(tmp_path: Path) -> None:
    kept, gone = split(fake_set(4), 0.25, seed=7)
    write_split(tmp_path / "x.split", training=kept, measured=gone, seed=7)
    content = json.loads((tmp_path / "x.split").read_text(encoding="utf-8"))
    assert content["seed"] == 7
    assert content["val"] == [i.path.name for i in gone.images]
    assert len(content["train"]) == 3


def test_that_a_slice_is_held_out_of_large_sets_only() -> None:
    assert hold_out(fake_set(120), 0)[1] is None
    kept, held_out = hold_out(fake_set(1000), 0)
    assert held_out is not None
    assert (len(kept.images), len(held_out.images)) == (960, 40)


def test_that_an_image_on_both_sides_is_told() -> None:
    labelled = fake_set(3)
    with pytest.raises(DataError, match=r"p0\.png"):
        check_apart(labelled, labelled.with_images(labelled.images[:1]))


def test_that_coco_data_is_loaded_and_odd_places_are_told(tmp_path: Path) -> None:
    labelled = toy_set(tmp_path, 2)
    write_coco(tmp_path / "toy.json", labelled)
    assert load_labelled(tmp_path / "toy.json").fingerprint() == labelled.fingerprint()
    with pytest.raises(DataError, match="no project folder or COCO file"):
        load_labelled(tmp_path / "none.json")
    with pytest.raises(DataError, match="name no folder"):
        load_labelled(tmp_path, tmp_path)


def test_that_the_frames_of_a_video_stay_on_one_side_of_a_split() -> None:
    clips = [Path(f"clip{n}.mp4") for n in range(4)]
    images = tuple(LabelledImage(clip, 8, 8, frame=frame) for clip in clips for frame in range(10))
    for seed in range(6):
        rest, held = split(LabelledSet((), images), 0.25, seed)
        assert (len(rest.images), len(held.images)) == (30, 10)
        assert not {image.path for image in rest.images} & {image.path for image in held.images}
    with pytest.raises(DataError, match="cannot be split"):
        split(LabelledSet((), images[:10]), 0.25, 0)
