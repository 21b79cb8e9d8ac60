"""What to look at next, and where a model contradicts a person."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.document.records import IgnoreRegion, ImageState, Instance, Provenance, ReviewState, new_id
from engine.messages import Event, Examine, ImageExamined, ImageFailed, ModelChoice
from engine.prediction import Prediction
from engine.project import Project
from engine.project.examined import Conflict, ConflictKind, Examined
from engine.tuning.doubts import conflicts, doubt, flip_disagreement, margin, mirrored, seen_there
from engine.tuning.examining import examine
from engine.tuning.review_queue import NEW, Why, likely_mistakes, review_queue
from engine.tuning.settled import settle, settled
from tests.engine.project.making import square
from tests.engine.tuning.making import review

IMAGES = 40
NAMES = {5: "nut", 6: "bolt"}


def answer(*found: tuple[float, tuple[int, int, int, int], int]) -> Prediction:
    """Score, box and label of each detection; masks fill their boxes."""
    found = tuple(sorted(found, reverse=True))
    return Prediction(
        100,
        80,
        ("nut", "bolt"),
        np.array([box for _, box, _ in found], np.float32).reshape(-1, 4),
        np.array([score for score, _, _ in found], np.float32),
        np.array([label for _, _, label in found], np.int64),
        np.ones((len(found), 28, 28), np.float32),
    )


LEFT, RIGHT = (5, 10, 25, 30), (60, 10, 80, 30)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / "queue"
    folder.mkdir()
    for n in range(IMAGES):
        pixels = np.random.default_rng(n).integers(0, 255, (80, 100, 3), np.uint8)
        cv2.imwrite(str(folder / f"{n:02}.png"), pixels)
    with Project.open(folder) as opened:
        opened.refresh()
        opened.ensure_class("nut")
        yield opened


def review_some(project: Project, count: int) -> list[int]:
    ids = [item.id for item in project.media()][:: IMAGES // count][:count]
    for media_id in ids:
        review(project, media_id, [])
    return ids


def test_that_an_answer_turned_back_is_the_mirror_images() -> None:
    once = answer((0.9, LEFT, 1))
    back = mirrored(mirrored(once))
    assert np.array_equal(back.boxes_xyxy, once.boxes_xyxy)
    assert mirrored(once).boxes_xyxy[0].tolist() == [75, 10, 95, 30]
    assert back.mask_probs is not None
    assert np.array_equal(back.mask_probs, np.ones((1, 28, 28)))


def test_that_doubt_grows_with_scores_near_a_half_and_with_disagreement() -> None:
    sure, unsure = answer((0.99, LEFT, 1)), answer((0.5, LEFT, 1))
    assert margin(sure) < 0.05
    assert margin(unsure) > 0.9
    assert margin(answer((0.1, LEFT, 1))) == 0.0
    assert flip_disagreement(sure, sure) == pytest.approx(0.0)
    assert flip_disagreement(sure, answer()) == pytest.approx(1.0)
    assert flip_disagreement(answer(), sure) == pytest.approx(1.0)
    assert flip_disagreement(sure, answer((0.99, LEFT, 2))) == pytest.approx(1.0)
    moved = answer((0.99, (7, 10, 27, 30), 1))
    assert 0.05 < flip_disagreement(sure, moved) < 0.5
    assert doubt(sure, answer()) == pytest.approx(1.0)
    assert doubt(unsure) == margin(unsure)


def labelled(box: tuple[int, int, int, int], class_id: int = 5) -> Instance:
    x0, y0, x1, _ = box
    return Instance(new_id(), class_id, square(x0, y0, x1 - x0))


@pytest.mark.parametrize(
    ("said", "by_person", "kind"),
    [
        (answer((0.9, LEFT, 1), (0.9, RIGHT, 1)), [labelled(LEFT)], ConflictKind.FORGOTTEN),
        (answer((0.9, LEFT, 1)), [labelled(LEFT), labelled(RIGHT)], ConflictKind.DOUBTED),
        (answer((0.9, LEFT, 2)), [labelled(LEFT)], ConflictKind.OTHER_CLASS),
        (answer((0.9, (8, 13, 25, 30), 1)), [labelled(LEFT)], ConflictKind.OUTLINE),
    ],
)
def test_that_each_kind_of_conflict_is_found(
    said: Prediction, by_person: list[Instance], kind: ConflictKind
) -> None:
    (conflict,) = conflicts(said, by_person, [], NAMES)
    assert conflict.kind is kind
    assert 0 < conflict.weight <= 1


def test_that_what_is_no_contradiction_is_none() -> None:
    same = answer((0.9, LEFT, 1))
    assert conflicts(same, [labelled(LEFT)], [], NAMES) == ()
    assert conflicts(answer((0.4, RIGHT, 1)), [], [], NAMES) == ()  # it is not sure
    assert conflicts(answer((0.4, LEFT, 2)), [labelled(LEFT)], [], NAMES) == ()
    region = IgnoreRegion(1, square(55, 5, 40))
    assert conflicts(answer((0.9, RIGHT, 1)), [], [region], NAMES) == ()
    assert conflicts(answer((0.9, RIGHT, 1)), [labelled((50, 0, 98, 48))], [], {5: "nut"})[1:] == ()
    unknown = replace(labelled(LEFT), class_id=7)
    assert conflicts(answer(), [unknown], [], {7: "cup"}) == ()  # the model does not know cups


def test_that_a_new_model_gets_images_from_all_over_the_folder(project: Project) -> None:
    first = review_queue(project, 8)
    assert {one.why for one in first} == {Why.SPREAD}
    places = sorted(int(one.path[:2]) for one in first)
    assert max(b - a for a, b in zip([0, *places], [*places, IMAGES], strict=False)) <= IMAGES // 3
    assert review_queue(project, 8) == first
    assert review_queue(project, 8, seed=1) != first
    assert len({one.media_id for one in review_queue(project, 100)}) == IMAGES


def test_that_reviewed_and_put_off_images_are_not_in_the_queue(project: Project) -> None:
    reviewed = review_some(project, 5)
    off = project.media()[1].id
    from engine.document.diff import Diff
    from engine.document.records import IMAGE_STATE_ID

    state = {IMAGE_STATE_ID: (ImageState(), ImageState(skip=True))}
    project.save(off, Diff(updated=state), name="Later").result()
    queued = {one.media_id for one in review_queue(project, 100)}
    assert queued == {item.id for item in project.media()} - {*reviewed, off}


def test_that_a_grown_models_doubts_lead_and_neighbours_wait(project: Project) -> None:
    reviewed = review_some(project, NEW)
    left = [item.id for item in project.media() if item.id not in reviewed]
    for n, media_id in enumerate(left):
        project.put_examined(Examined(media_id, "key", 0.9 - 0.01 * n))
    queued = review_queue(project, 10)
    assert queued[0].media_id == left[0]
    assert queued[0].why is Why.DOUBT
    places = {item.id: place for place, item in enumerate(project.media())}
    near = [places[one.media_id] for one in queued]
    assert all(abs(a - b) > 1 for n, a in enumerate(near) for b in near[n + 1 :])


def test_that_the_scores_of_stored_proposals_are_doubts_too(project: Project) -> None:
    reviewed = review_some(project, NEW)
    left = [item.id for item in project.media() if item.id not in reviewed]
    nut = project.classes()[0].id
    for media_id, score in ((left[7], 0.5), (left[15], 0.97)):
        one = Instance(new_id(), nut, square(), score=score, provenance=Provenance.PREDICTED)
        project.put_proposals(media_id, [one], key="k", batch_id="b")
    queued = review_queue(project, 3)
    assert queued[0].media_id == left[7]
    assert queued[0].doubt > 0.9


def run_examine(project: Project, request: Examine, weights: str, said: Prediction) -> list[Event]:
    def predict(picture: NDArray[np.uint8]) -> Generator[None, None, Prediction]:
        yield
        return said

    return [event for event in examine(1, request, project, weights, predict) if event is not None]


def test_that_examining_doubts_the_unreviewed_and_contradicts_the_reviewed_once(project: Project) -> None:
    ids = [item.id for item in project.media()]
    nut = project.classes()[0].id
    review(project, ids[0], [Instance(new_id(), nut, square(60, 10, 20))])
    request = Examine(project.folder, ModelChoice("m"), only=tuple(ids[:3]))
    said = answer((0.9, LEFT, 1))
    events = run_examine(project, request, "sha", said)
    examined = [event for event in events if isinstance(event, ImageExamined)]
    assert [event.media_id for event in examined] == ids[:3]
    assert (examined[0].doubt, examined[0].conflicts) == (None, 2)
    assert examined[1].doubt == pytest.approx(1.0)  # it says the same of the mirror image
    (mistake,) = likely_mistakes(project)
    assert mistake.media_id == ids[0]
    assert {one.kind for one in mistake.conflicts} == {ConflictKind.FORGOTTEN, ConflictKind.DOUBTED}
    assert run_examine(project, request, "sha", said) == []
    assert len([e for e in run_examine(project, request, "new", said) if isinstance(e, ImageExamined)]) == 3
    limited = Examine(project.folder, ModelChoice("m"), limit=2)
    assert len([e for e in run_examine(project, limited, "new", said) if isinstance(e, ImageExamined)]) == 2


def test_that_a_corrected_image_is_examined_again_and_a_broken_file_is_told(project: Project) -> None:
    ids = [item.id for item in project.media()]
    review(project, ids[0], [])
    request = Examine(project.folder, ModelChoice("m"), only=(ids[0], ids[1]))
    (project.folder / "01.png").write_bytes(b"no picture")
    said = answer((0.9, LEFT, 1))
    events = run_examine(project, request, "sha", said)
    assert [event.path for event in events if isinstance(event, ImageFailed)] == ["01.png"]
    assert len(likely_mistakes(project)) == 1
    nut = project.classes()[0].id
    review(project, ids[0], [Instance(new_id(), nut, square(5, 10, 20))])
    events = run_examine(project, request, "sha", said)
    assert [e.conflicts for e in events if isinstance(e, ImageExamined)] == [0]
    assert likely_mistakes(project) == ()
    assert project.load(ids[0]).state.review is ReviewState.REVIEWED


def test_that_a_settled_conflict_is_not_told_again_by_any_model(project: Project) -> None:
    (media_id, *_) = review_some(project, 2)
    here, there = (5.0, 10.0, 25.0, 30.0), (60.0, 10.0, 80.0, 30.0)
    first = Conflict(ConflictKind.FORGOTTEN, here, "nut", 0.9)
    second = Conflict(ConflictKind.DOUBTED, there, "nut", 0.6, 7)
    project.put_examined(Examined(media_id, "model a", None, (first, second)))
    settle(project, media_id, first)
    (left,) = likely_mistakes(project)
    assert left.conflicts == (second,)
    assert left.weight == 0.6, "the settled one does not count"
    moved = Conflict(ConflictKind.FORGOTTEN, (6.0, 11.0, 26.0, 31.0), "nut", 0.95)
    elsewhere = Conflict(ConflictKind.FORGOTTEN, there, "nut", 0.8)
    another = Conflict(ConflictKind.FORGOTTEN, here, "bolt", 0.8)
    project.put_examined(Examined(media_id, "model b", None, (moved, elsewhere, another)))
    (left,) = likely_mistakes(project)
    assert left.conflicts == (elsewhere, another)
    settle(project, media_id, elsewhere)
    settle(project, media_id, another)
    assert likely_mistakes(project) == ()
    assert len(settled(project)[media_id]) == 3


def test_that_what_the_model_sees_is_found_for_each_conflict() -> None:
    seen = answer((0.9, LEFT, 1), (0.8, RIGHT, 2))
    label = labelled(LEFT)
    forgotten = Conflict(ConflictKind.FORGOTTEN, tuple(map(float, RIGHT)), "bolt", 0.8)  # type: ignore[arg-type]
    there = seen_there(seen, forgotten, [label])
    assert there is not None
    assert list(there.bounds_xyxy) == list(RIGHT)
    outline = seen_there(seen, Conflict(ConflictKind.OUTLINE, LEFT, "nut", 0.4, label.id), [label])
    assert outline is not None
    assert list(outline.bounds_xyxy) == list(LEFT)
    assert seen_there(seen, Conflict(ConflictKind.DOUBTED, LEFT, "nut", 0.6, label.id), [label]) is None
