"""COCO in and out: exact masks, and one clear sentence for everything that is wrong."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
from collections.abc import Generator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from engine.document.masks import Mask
from engine.document.records import ClassDef, IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats import coco, coco_annotations
from engine.formats.coco import read_coco, write_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.formats.reading import CanceledError, Pictures, Reading

HEIGHT, WIDTH = 20, 30


def content(**annotation: Any) -> dict[str, Any]:
    """A file with one image, one category and one annotation with these values."""
    one = {"id": 1, "image_id": 4, "category_id": 3, "bbox": [2, 2, 5, 5], "iscrowd": 0, **annotation}
    return {
        "images": [{"id": 4, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 3, "name": "cell"}],
        "annotations": [one],
    }


def written(folder: Path, data: object) -> Path:
    file = folder / "data.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def only(file: Path) -> Instance:
    (instance,) = read_coco(file).images[0].instances
    return instance


def a_mask() -> np.ndarray:
    full = np.zeros((HEIGHT, WIDTH), np.bool_)
    full[3:15, 4:20] = True
    full[6:9, 8:12] = False  # a hole
    full[17:19, 25:28] = True  # a second part
    return full


def test_that_compressed_and_uncompressed_rle_are_the_same_pixels(tmp_path: Path) -> None:
    full = a_mask()
    packed = coco_mask.encode(np.asfortranarray(full, np.uint8))
    counts = packed["counts"]
    assert isinstance(counts, bytes)
    compressed = {"size": [HEIGHT, WIDTH], "counts": counts.decode("ascii")}
    flat = full.T.reshape(-1)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flat.view(np.int8), [0]))))
    runs = np.diff(np.concatenate(([0], edges, [flat.size])))
    plain = {"size": [HEIGHT, WIDTH], "counts": runs.tolist()}
    for rle in (compressed, plain):
        mask = only(written(tmp_path, content(segmentation=rle))).mask
        assert mask is not None
        assert np.array_equal(mask.to_full(HEIGHT, WIDTH), full)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools' own, under NumPy 2
def test_that_polygons_become_the_pixels_of_the_coco_api_and_are_kept(tmp_path: Path) -> None:
    rings: Any = [[2.5, 3.0, 14.2, 3.0, 10.0, 15.5], [20, 4, 28, 4, 28, 9, 20, 9]]
    instance = only(written(tmp_path, content(segmentation=rings)))
    theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(rings, HEIGHT, WIDTH)))
    assert instance.mask is not None
    assert np.array_equal(instance.mask.to_full(HEIGHT, WIDTH), theirs.astype(np.bool_))
    assert instance.rings == tuple(tuple(map(float, ring)) for ring in rings)


def test_that_a_crowd_becomes_an_ignore_region(tmp_path: Path) -> None:
    rle = {"size": [HEIGHT, WIDTH], "counts": [0, 40, HEIGHT * WIDTH - 40]}
    (image,) = read_coco(written(tmp_path, content(segmentation=rle, iscrowd=1))).images
    assert image.instances == ()
    assert image.ignore[0].mask.area == 40


def test_that_an_annotation_without_segmentation_keeps_its_box(tmp_path: Path) -> None:
    without: list[dict[str, Any]] = [{}, {"segmentation": []}, {"segmentation": None}]
    for change in without:
        instance = only(written(tmp_path, content(**change)))
        assert instance.mask is None
        assert instance.box_xyxy == (2.0, 2.0, 7.0, 7.0)


def test_that_classes_keep_their_ids_and_provenance_is_imported(tmp_path: Path) -> None:
    file = written(tmp_path, content())
    assert [(c.id, c.name) for c in read_coco(file).classes] == [(3, "cell")]
    assert only(file).class_id == 3
    assert only(file).provenance is Provenance.IMPORTED


def test_that_pictures_are_found_in_a_folder_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"")
    file = written(tmp_path, content())
    assert read_coco(file).images[0].path == tmp_path / "pictures" / "a.png"
    assert read_coco(file, tmp_path / "other").images[0].path == tmp_path / "other" / "a.png"


RLE = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_id": 9}, "annotation 1 is of image 9"),
        ({"image_id": "4"}, "'image_id' must be a whole number"),
        ({"category_id": 8}, "annotation 1 has category 8"),
        ({"segmentation": [[1, 2, 3, 4]]}, "at least three"),
        ({"segmentation": [[1, 2, 3, 4, 5, float("nan")]]}, "finite"),
        ({"segmentation": [[1, 2, 3, 4, 5, 1e9]]}, "far outside"),
        ({"segmentation": "x"}, "neither polygons nor an RLE"),
        ({"segmentation": {**RLE, "size": [5, 5]}}, "annotation 1"),
        ({"segmentation": {**RLE, "counts": [-4, 604]}}, "annotation 1"),
        ({"segmentation": {**RLE, "counts": [3]}}, "annotation 1"),
        ({"segmentation": {**RLE, "counts": "\u00e9"}}, "annotation 1"),
        ({"bbox": [1, 2, 3]}, "four numbers"),
        ({"bbox": [1, 2, -3, 4]}, "negative"),
        ({"bbox": None}, "neither a segmentation nor a bbox"),
        ({"score": "high"}, "score"),
    ],
)
def test_that_a_wrong_annotation_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    file = written(tmp_path, content(**change))
    with pytest.raises(DataError, match=said) as caught:
        read_coco(file)
    assert str(file) in str(caught.value)


def test_that_repeated_ids_are_told(tmp_path: Path) -> None:
    data = content()
    for key in ("images", "categories", "annotations"):
        twice = {**data, key: data[key] * 2}
        with pytest.raises(DataError, match="id"):
            read_coco(written(tmp_path, twice))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"images": 3}', '{"images": [3]}', "[" * 100_000])
def test_that_a_file_of_another_kind_is_told_in_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"odd\.json"):
        read_coco(file)


def test_that_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_coco(tmp_path / "none.json")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=24, max_size=24), min_size=1, max_size=4), st.integers(0, 2**61))
def test_that_any_mask_comes_back_pixel_for_pixel(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes], first_id: int
) -> None:
    folder = tmp_path_factory.mktemp("coco")
    masks = [
        Mask.from_crop(1, 2, np.unpackbits(np.frombuffer(r, np.uint8)).reshape(12, 16).astype(np.bool_))
        for r in rows
    ]
    masks = [mask for mask in masks if not mask.is_empty]
    image = LabelledImage(
        folder / "a.png",
        WIDTH,
        HEIGHT,
        tuple(Instance(first_id + i, 3, m, score=0.25) for i, m in enumerate(masks, start=1)),
        tuple(IgnoreRegion(i, m) for i, m in enumerate(masks[:1])),
    )
    before = LabelledSet((ClassDef(3, "cell", "#000000"), ClassDef(1, "other", "#111111")), (image,))
    write_coco(folder / "out.json", before)
    after = read_coco(folder / "out.json")
    assert [(c.id, c.name) for c in after.classes] == [(3, "cell"), (1, "other")]
    assert after.fingerprint() == before.fingerprint()
    assert [(i.id, i.score) for i in after.images[0].instances] == [(i.id, 0.25) for i in image.instances]
    assert after.images[0].path == image.path


def test_that_real_data_survives_a_round_trip(shared_data: Path, tmp_path: Path) -> None:
    before = read_coco(shared_data / "pennfudan" / "train.json")
    write_coco(tmp_path / "out.json", before, images_dir=shared_data / "pennfudan" / "PNGImages")
    after = read_coco(tmp_path / "out.json", shared_data / "pennfudan" / "PNGImages")
    assert after.fingerprint() == before.fingerprint()
    assert [i.path for i in after.images] == [i.path.resolve() for i in before.images]


def test_that_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, content())
    labelled, before = read_coco(file), file.read_bytes()

    def fail(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(DataError, match="No space left"):
        write_coco(file, labelled)
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_that_a_page_of_a_picture_keeps_its_number_in_coco(tmp_path: Path) -> None:
    labelled = read_coco(written(tmp_path, content()))
    paged = labelled.with_images((dataclasses.replace(labelled.images[0], frame=2),))
    write_coco(tmp_path / "paged.json", paged)
    (image,) = json.loads((tmp_path / "paged.json").read_text())["images"]
    assert image["file_name"] == f"{labelled.images[0].path.name}#2"


def test_that_the_fingerprint_follows_the_truth_and_not_its_place(tmp_path: Path) -> None:
    first = read_coco(written(tmp_path, content(segmentation=[[2, 2, 9, 2, 9, 9]])))
    moved = read_coco(written(tmp_path, content(segmentation=[[2, 2, 9, 2, 9, 9]])), tmp_path / "elsewhere")
    other = read_coco(written(tmp_path, content(segmentation=[[2, 2, 9, 2, 9, 10]])))
    assert first.fingerprint() == moved.fingerprint()
    assert first.fingerprint() != other.fingerprint()


def test_that_other_processes_read_as_this_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order and with the same sentences, keypoints without names too; stopped half-way, all end."""
    triangle = [[1, 1, 5, 1, 5, 5]]
    annotations = [
        {"id": n, "image_id": n % 7, "category_id": 1, "bbox": [1, 1, 4, 4], "iscrowd": n % 9 == 0,
         "segmentation": triangle if n % 5 else {"size": [20, 30], "counts": [n, 600 + n % 2 - n]},
         "keypoints": [1, 2, 2] * (n % 3)}
        for n in range(1, 60)
    ]  # fmt: skip
    data = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 30, "height": 20} for n in range(7)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cell"}],
    }
    file = written(tmp_path, data)
    results = []
    for many in (1_000_000, 0):
        monkeypatch.setattr(coco_annotations, "_MANY", many)
        monkeypatch.setattr(coco, "TOGETHER", 2)
        reading = Reading(Pictures(tmp_path, ()))
        found = list(coco.read_file(file, reading))
        results.append((found, reading.problems, reading.classes.all))
    assert results[0] == results[1]
    assert [len(one.instances) for one in results[0][0]] != [0] * 7
    assert len(results[0][1]) == 6
    assert results[0][2][0].keypoints == ("keypoint 1", "keypoint 2")
    half = coco.read_file(file, Reading(Pictures(tmp_path, ())))
    next(half)
    assert isinstance(half, Generator)
    half.close()  # would hang, or leave processes behind
    assert not multiprocessing.active_children()


def test_that_a_process_that_is_ended_from_outside_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = coco_annotations.Batch("a.json", {}, ())
    future: Future[coco_annotations.Parsed] = Future()
    future.set_exception(BrokenProcessPool("killed"))
    assert coco_annotations._result(batch, future) == (batch, coco_annotations.Parsed())


def test_that_a_reading_can_be_stopped_before_its_first_image(tmp_path: Path) -> None:
    """While the file is only gone through, which takes seconds for a large one."""
    many = [{"id": n, "image_id": 4, "category_id": 1, "bbox": [1, 1, 4, 4]} for n in range(5000)]
    file = written(tmp_path, {**content(), "annotations": many})
    with pytest.raises(CanceledError):
        next(coco.read_file(file, Reading(Pictures(tmp_path, ()), is_canceled=lambda: True)))
