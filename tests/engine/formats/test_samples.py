"""Files that other tools wrote: each is recognised by its content and read without a fault of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.exchange.importing import prepare

_OF_OTHERS = (
    ("datumaro/coco_dataset/coco_instances", "coco", 2, 2),
    ("datumaro/coco_dataset/coco_person_keypoints/annotations/person_keypoints_val.json", "coco", 1, 1),
    ("datumaro/coco_dataset/coco_roboflow", "coco", 1, 1),
    ("datumaro/roboflow_dataset/coco", "coco", 2, 2),
    ("datumaro/roboflow_dataset/voc", "voc", 3, 4),
    ("datumaro/roboflow_dataset/yolo", "yolo-detect", 3, 4),
    ("datumaro/voc_dataset/voc_dataset1", "voc", 1, 3),
    ("datumaro/voc_dataset/voc_dataset3", "voc", 1, 1),
    ("datumaro/yolo_dataset/strict", "yolo-detect", 1, 2),
    ("datumaro/yolo_dataset/labels", "yolo-detect", 2, 4),
    ("datumaro/cityscapes_dataset/dataset", "cityscapes", 4, 1),
    ("datumaro/cvat_dataset/for_images/export_task", "cvat-images", 2, 2),
    ("datumaro/common_semantic_segmentation_dataset/dataset", "class-png", 2, 4),
    ("datumaro/common_semantic_segmentation_dataset/non_standard_dataset", "class-png", 2, 5),
    ("isat/images", "isat", 1, 4),
    ("isat/videos", "isat", 17, 34),
    ("labelstudio/data/test_import_yolo_data", "yolo-detect", 4, 13),
    ("labelme/examples/bbox_detection/data_dataset_voc", "voc", 3, 9),
    ("labelme/examples/instance_segmentation/data_dataset_coco/annotations.json", "coco", 3, 12),
    ("labelme/examples/instance_segmentation/data_dataset_voc", "voc", 3, 12),
)


@pytest.mark.parametrize(
    ("place", "name", "images", "instances"), _OF_OTHERS, ids=[one[0] for one in _OF_OTHERS]
)
def test_that_files_of_other_tools_are_recognised_and_read(
    shared_data: Path, place: str, name: str, images: int, instances: int
) -> None:
    with prepare(shared_data / "formats" / place) as prepared:
        summary = prepared.summary
    assert (summary.format, summary.images, summary.instances) == (name, images, instances)
    assert summary.problems == []


def test_that_shapes_of_a_video_are_read_with_their_tracks(shared_data: Path) -> None:
    """Its pictures are not there, so that only what it says of them can be looked at."""
    with prepare(shared_data / "formats/datumaro/cvat_dataset/for_video") as prepared:
        assert prepared.summary.format == "cvat-video"
        assert list(prepared.summary.classes) == ["klhg", "z U k", "II"]


def test_that_numbers_of_another_size_than_the_picture_are_told(shared_data: Path) -> None:
    with prepare(shared_data / "formats/datumaro/mots_dataset/train") as prepared:
        assert prepared.summary.format == "mots-png"
        assert "is 5 x 1 pixels, but its picture is 1 x 5" in prepared.summary.problems[0]
