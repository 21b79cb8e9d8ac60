"""Boxes to masks: what is kept, what is doubted, what is left alone, and how it goes on."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.document.diff import Diff
from engine.document.mask import EMPTY, Mask
from engine.document.records import (
    IMAGE_STATE_ID,
    Box,
    ImageState,
    Instance,
    MediaItem,
    Provenance,
    Record,
    ReviewState,
)
from engine.messages import Event, ImageFailed, ImageUpgraded, ModelChoice, Progress, UpgradeBoxes
from engine.project import Project
from engine.upgrading import CHECK, DISAGREES, NAME, fill_of, upgrade


def block(x: int, y: int, width: int, height: int) -> Mask:
    return Mask.from_crop(x, y, np.ones((height, width)))


def filling(
    _picture: NDArray[np.uint8], boxes: Sequence[Box], _names: Sequence[str]
) -> Generator[None, None, Sequence[Mask]]:
    """A model that fills boxes, but of tall ones the upper half alone, and of thin ones nothing."""
    yield
    masks = []
    for x0, y0, x1, y1 in boxes:
        height = int(y1 - y0)
        whole = block(int(x0), int(y0), int(x1 - x0), height // 2 if height > 20 else height)
        masks.append(EMPTY if x1 - x0 < 3 else whole)
    return masks


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), np.full((60, 80, 3), 90, np.uint8))
    with Project.open(tmp_path) as opened:
        opened.refresh()
        bolt = opened.ensure_class("bolt").id
        for item in opened.media():
            put(opened, item, [boxed(1, bolt, (5, 5, 25, 20)), boxed(2, bolt, (40, 10, 60, 24))])
        yield opened


def boxed(id_: int, class_id: int, box: Box) -> Instance:
    return Instance(id_, class_id, None, box, provenance=Provenance.IMPORTED)


def put(project: Project, item: MediaItem, instances: Sequence[Instance]) -> None:
    added: dict[int, Record] = {one.id: one for one in instances}
    before = project.load(item.id).state
    reviewed = ImageState(ReviewState.REVIEWED)
    changed: dict[int, tuple[Record, Record]] = (
        {} if before == reviewed else {IMAGE_STATE_ID: (before, reviewed)}
    )
    project.save(item.id, Diff(added, changed), name="Import").result()


def run(
    project: Project, *, stop_after: int | None = None, request: UpgradeBoxes | None = None
) -> list[Event]:
    job = upgrade(7, request or UpgradeBoxes(project.folder, ModelChoice("any")), project, filling)
    events: list[Event] = []
    for event in job:
        if event is not None:
            events.append(event)
        if sum(isinstance(one, ImageUpgraded) for one in events) == stop_after:
            job.close()
    return events


def test_that_boxes_get_masks_and_keep_class_box_and_id(project: Project) -> None:
    events = run(project)
    upgraded = [
        (event.path, event.masks, event.doubtful) for event in events if isinstance(event, ImageUpgraded)
    ]
    assert upgraded == [("a.png", 2, 0), ("b.png", 2, 0), ("c.png", 2, 0)]
    assert [event.done for event in events if isinstance(event, Progress)] == [0, 1, 2, 3]
    for item in project.media():
        document = project.load(item.id)
        first = document.instance(1)
        assert (first.mask, first.box_xyxy) == (block(5, 5, 20, 15), (5, 5, 25, 20))
        assert (first.class_id, first.provenance) == (project.classes()[0].id, Provenance.IMPORTED)
        assert document.state == ImageState(ReviewState.REVIEWED), "nothing is doubtful here"


def test_that_a_mask_that_disagrees_with_its_box_waits_for_a_review(project: Project) -> None:
    item = project.media()[0]
    bolt = project.classes()[0].id
    put(project, item, [boxed(3, bolt, (62, 10, 78, 50)), boxed(4, bolt, (30, 40, 32, 50))])
    events = run(project)
    upgraded = [event for event in events if isinstance(event, ImageUpgraded)]
    assert [event.doubtful for event in upgraded] == [2, 0, 0]
    assert [event.masks for event in upgraded] == [3, 2, 2], "one box got none"
    document = project.load(item.id)
    assert document.state == ImageState(ReviewState.PROPOSED, (CHECK,))
    assert document.instance(3).attributes == ((DISAGREES, "0.50"),)
    assert document.instance(3).mask == block(62, 10, 16, 20)
    assert (document.instance(4).mask, document.instance(4).attributes) == (None, ((DISAGREES, "0.00"),))
    assert document.instance(1).attributes == ()


def test_that_proposals_of_too_low_a_score_are_left_as_they_are(project: Project) -> None:
    item, bolt = project.media()[0], project.classes()[0].id
    guessed = [
        replace(boxed(10 + n, bolt, (62, 10, 78, 25)), provenance=Provenance.PREDICTED, score=score)
        for n, score in enumerate((0.4, 0.6))
    ]
    put(project, item, guessed)
    run(project, request=UpgradeBoxes(project.folder, ModelChoice("any"), least_score=0.5))
    document = project.load(item.id)
    assert [one.id for one in document.instances if one.mask is None] == [10]
    assert document.instance(11).provenance is Provenance.PREDICTED
    again = run(project, request=UpgradeBoxes(project.folder, ModelChoice("any"), least_score=0.5))
    assert not any(isinstance(event, ImageUpgraded) for event in again)


def test_that_it_goes_on_where_it_stopped_and_a_second_run_changes_nothing(project: Project) -> None:
    run(project, stop_after=1)
    assert [project.load(item.id).instance(1).mask is None for item in project.media()] == [False, True, True]
    events = run(project)
    assert [event.path for event in events if isinstance(event, ImageUpgraded)] == ["b.png", "c.png"]
    stamps = [project.stamp(item.id) for item in project.media()]
    assert not any(isinstance(event, ImageUpgraded) for event in run(project))
    assert [project.stamp(item.id) for item in project.media()] == stamps


def test_that_it_is_one_step_of_each_image_that_can_be_undone(project: Project) -> None:
    before = [dict(project.load(item.id).records) for item in project.media()]
    run(project)
    for item, records in zip(project.media(), before, strict=True):
        assert project.history(item.id).done[-1] == NAME
        project.undo(item.id)
        assert dict(project.load(item.id).records) == records


def test_that_a_request_may_be_of_some_images_and_instances(project: Project) -> None:
    a, b, _ = project.media()
    choice = ModelChoice("any")
    run(project, request=UpgradeBoxes(project.folder, choice, (b.id,), frozenset({2})))
    assert project.load(b.id).instance(2).mask is not None
    assert project.load(b.id).instance(1).mask is None
    assert project.load(a.id).instance(2).mask is None
    run(project, request=UpgradeBoxes(project.folder, choice, limit=1))
    assert [project.load(item.id).instance(1).mask is None for item in project.media()] == [False, True, True]


def test_that_what_a_person_changes_meanwhile_stays(project: Project) -> None:
    item = project.media()[0]

    def slow(
        picture: NDArray[np.uint8], boxes: Sequence[Box], names: Sequence[str]
    ) -> Generator[None, None, Sequence[Mask]]:
        gone = project.load(item.id).records
        if 1 in gone:
            project.save(item.id, Diff(removed={1: gone[1]}), name="Delete").result()
        return (yield from filling(picture, boxes, names))

    for _ in upgrade(7, UpgradeBoxes(project.folder, ModelChoice("any"), (item.id,)), project, slow):
        pass
    document = project.load(item.id)
    assert 1 not in document.records
    assert document.instance(2).mask is not None


def test_that_a_picture_that_cannot_be_read_fails_alone(project: Project) -> None:
    (project.folder / "b.png").write_bytes(b"nothing")
    events = run(project)
    assert [event.path for event in events if isinstance(event, ImageFailed)] == ["b.png"]
    assert len([event for event in events if isinstance(event, ImageUpgraded)]) == 2


def test_that_the_fill_is_the_iou_of_the_bounds() -> None:
    assert fill_of(block(0, 0, 10, 10), (0, 0, 10, 10)) == 1.0
    assert fill_of(block(0, 0, 10, 5), (0, 0, 10, 10)) == 0.5
    assert fill_of(EMPTY, (0, 0, 10, 10)) == 0.0
