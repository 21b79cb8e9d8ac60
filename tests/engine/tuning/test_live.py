"""What a person made of proposals, told from the journal: accepted, corrected, rejected, missed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from engine.document.document import Document
from engine.document.records import Instance, Provenance, new_id
from engine.project import Project
from engine.tuning.live import live_quality
from tests.engine.project.making import square

KEY = "content:0 sha-of-a settings"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / "live"
    folder.mkdir()
    for n in range(4):
        (folder / f"{n}.png").write_bytes(b"picture %d" % n)
    with Project.open(folder) as opened:
        opened.refresh()
        opened.ensure_class("nut")
        opened.ensure_class("bolt")
        yield opened


def propose(project: Project, media_id: int, count: int, key: str = KEY) -> list[Instance]:
    """Proposals side by side, 10 x 10 pixels each."""
    class_id = project.classes()[0].id
    made = [
        Instance(new_id(), class_id, square(20 * n, 0, 10), score=0.9, provenance=Provenance.PREDICTED)
        for n in range(count)
    ]
    project.put_proposals(media_id, made, key=key, batch_id="batch")
    return made


class Person:
    """Edits one image as the window does: every edit is saved."""

    def __init__(self, project: Project, media_id: int) -> None:
        self.saved: list[Future[None]] = []
        self.document: Document = project.load(media_id)
        self.document.subscribe(
            lambda edit: self.saved.append(project.save(media_id, edit.diff, name=edit.name))
        )

    def correct(self, one: Instance, **changes: object) -> None:
        with self.document.edit("Correct"):
            now = self.document.instance(one.id)
            self.document.replace(replace(now, **changes))  # type: ignore[arg-type]

    def remove(self, one: Instance) -> None:
        with self.document.edit("Delete"):
            self.document.remove(one.id)

    def draw(self, class_id: int) -> None:
        with self.document.edit("Draw"):
            self.document.add(Instance(new_id(), class_id, square(0, 40, 8)))

    def accept(self, visible: list[Instance]) -> None:
        with self.document.edit("Accept"):
            self.document.accept_image({one.id for one in visible})
        for future in self.saved:
            future.result()


def test_that_each_fate_of_a_proposal_is_counted(project: Project) -> None:
    media_id = project.media()[0].id
    kept, cut, wrong, other, hidden = propose(project, media_id, 5)
    person = Person(project, media_id)
    person.correct(cut, mask=square(20, 0, 5))
    person.correct(other, class_id=project.classes()[1].id)
    person.remove(wrong)
    person.draw(kept.class_id)
    person.accept([kept, cut, other])
    (image,) = live_quality(project).images
    assert image.accepted == 1
    assert sorted(image.corrected) == [0.25, 1.0]
    assert image.relabelled == (1.0,)
    assert (image.rejected, image.missed, image.edits) == (1, 1, 4)
    assert image.weights == "sha-of-a"
    assert image.quality == pytest.approx((1 + 0.25) / 5)
    assert hidden.id not in {one.id for one in project.load(media_id).instances}


def test_that_an_undone_removal_is_none(project: Project) -> None:
    media_id = project.media()[0].id
    (only,) = propose(project, media_id, 1)
    person = Person(project, media_id)
    person.remove(only)
    for future in person.saved:
        future.result()
    project.undo(media_id)
    again = Person(project, media_id)
    again.accept([only])
    (image,) = live_quality(project).images
    assert (image.accepted, image.rejected, image.edits) == (1, 0, 0)
    assert image.quality == 1.0


def test_that_the_running_quality_is_of_the_last_images_and_of_one_model(project: Project) -> None:
    first, second, third, drawn_only = (item.id for item in project.media())
    for media_id, key in ((first, KEY), (second, KEY), (third, "content:0 sha-of-b settings")):
        made = propose(project, media_id, 2, key)
        person = Person(project, media_id)
        if media_id == second:
            person.remove(made[0])
        person.accept(made if media_id != second else made[1:])
    person = Person(project, drawn_only)
    person.draw(project.classes()[0].id)
    person.accept([])
    assert [one.media_id for one in live_quality(project).images] == [third, second, first]
    of_a = live_quality(project, weights="sha-of-a")
    assert of_a.quality == pytest.approx(3 / 4)
    assert of_a.edits_an_image == 0.5
    assert of_a.counts == (3, 0, 1, 0)
    assert "75%" in of_a.summary
    assert len(live_quality(project, last=1).images) == 1


def test_that_without_a_reviewed_proposal_nothing_is_claimed(project: Project) -> None:
    quality = live_quality(project)
    assert (quality.quality, quality.edits_an_image, quality.mean_iou) == (None, None, None)
    assert "No proposal" in quality.summary
