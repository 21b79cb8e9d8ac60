"""What is saved is what is loaded, whatever an instance holds; classes; edits by others than a person."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.document.diff import Diff, Source
from engine.document.document import Document, Edit
from engine.document.masks import Mask
from engine.document.records import (
    IMAGE_STATE_ID,
    IgnoreRegion,
    ImageState,
    Instance,
    Keypoint,
    Provenance,
    ReviewState,
    new_id,
)
from engine.document.rules import ProtectedError
from engine.errors import ProjectError
from engine.project import Project
from engine.project.colors import _oklab, next_color
from tests.engine.project.making import adding, drawn, ids, instances_of, square

numbers = st.floats(-1e6, 1e6)
masks = st.builds(
    lambda x, y, rows: Mask.from_crop(x, y, np.array(rows, np.bool_)),
    st.integers(-5, 5000),
    st.integers(-5, 5000),
    st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=9),
)
instances = st.builds(
    Instance,
    id=st.integers(1, 2**61).map(lambda n: 2 * n),  # an id never changes its kind: regions have odd ones
    class_id=st.just(0),
    mask=st.none() | masks,
    box_xyxy=st.none() | st.tuples(numbers, numbers, numbers, numbers),
    score=st.none() | st.floats(0, 1),
    provenance=st.sampled_from(Provenance),
    z=st.integers(-(2**40), 2**40),
    keypoints=st.lists(st.builds(Keypoint, numbers, numbers, st.integers(0, 2)), max_size=3).map(tuple),
    track_id=st.none() | st.integers(0, 2**40),
    attributes=st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple),
    rings=st.lists(st.lists(numbers, min_size=2, max_size=6).map(tuple), max_size=2).map(tuple),
)
regions = st.builds(IgnoreRegion, st.integers(1, 2**61).map(lambda n: 2 * n - 1), masks)
states = st.builds(
    ImageState, st.sampled_from(ReviewState), st.lists(st.text(), max_size=2).map(tuple), st.booleans()
)


@given(found=st.lists(instances | regions, max_size=4, unique_by=lambda record: record.id), state=states)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_every_field_comes_back_as_it_was(
    project: Project, found: list[Instance | IgnoreRegion], state: ImageState
) -> None:
    class_id = project.ensure_class("cell").id
    media_id = ids(project)[0]
    before = dict(project.load(media_id).records)
    after = {IMAGE_STATE_ID: state} | {record.id: _of_class(record, class_id) for record in found}
    project.save(media_id, Diff.between(before, after), name="Anything").result()
    assert dict(project.load(media_id).records) == after


def _of_class(record: Instance | IgnoreRegion, class_id: int) -> Instance | IgnoreRegion:
    if isinstance(record, IgnoreRegion):
        return record
    values = {name: getattr(record, name) for name in Instance.__slots__}
    return Instance(**(values | {"class_id": class_id}))


def test_that_numpy_numbers_of_a_prediction_are_stored(project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    x0, y0, x1, y1 = np.array([1.5, 2, 3, 4], np.float32)
    class_number, score = cast(int, np.int64(class_id)), cast(float, np.float32(0.25))
    found = Instance(new_id(), class_number, square(), (x0, y0, x1, y1), score, Provenance.PREDICTED)
    assert project.put_proposals(media_id, [found], key="k", batch_id="b")
    (loaded,) = project.load(media_id).instances
    assert loaded == found
    assert type(loaded.score) is float


def test_that_two_edits_of_different_fields_both_stand(project: Project) -> None:
    """A window's document may be older than the database: what it did not change, it must not write."""
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    old = drawn(class_id)
    project.save(media_id, adding(old), name="Draw").result()
    moved = Instance(old.id, class_id, square(9))
    raised = Instance(old.id, class_id, square(), z=5)
    project.save(media_id, Diff(updated={old.id: (old, moved)}), name="Move").result()
    project.save(media_id, Diff(updated={old.id: (old, raised)}), name="Raise").result()
    assert project.load(media_id).instances == (Instance(old.id, class_id, square(9), z=5),)


def test_that_an_unknown_class_is_refused_and_the_next_edit_saved(project: Project) -> None:
    media_id = ids(project)[0]
    refused = project.save(media_id, adding(drawn(12345)), name="Draw")
    good = drawn(project.ensure_class("cell").id)
    saved = project.save(media_id, adding(good), name="Draw")
    with pytest.raises(ProjectError, match="no such image or class"):
        refused.result()
    saved.result()
    assert instances_of(project, media_id) == {good.id}
    assert project.unsaved == 0


def test_that_the_engine_cannot_touch_a_persons_work(project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    mine = drawn(class_id)
    project.save(media_id, adding(mine), name="Draw").result()
    with pytest.raises(ProtectedError):
        project.save(media_id, Diff(removed={mine.id: mine}), name="Tidy", source=Source.ENGINE).result()
    assert instances_of(project, media_id) == {mine.id}


def test_that_a_proposal_that_a_person_corrected_meanwhile_stays(project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    proposed = Instance(new_id(), class_id, square(), score=0.5, provenance=Provenance.PREDICTED)
    project.put_proposals(media_id, [proposed], key="k", batch_id="b")
    document = project.load(media_id)
    edits: list[Edit] = []
    document.subscribe(edits.append)
    with document.edit("Move"):
        document.replace(
            Instance(proposed.id, class_id, square(3), score=0.5, provenance=Provenance.PREDICTED)
        )
    project.save(media_id, edits[0].diff, name="Move").result()
    with pytest.raises(ProtectedError):
        project.save(
            media_id, Diff(removed={proposed.id: proposed}), name="Old", source=Source.ENGINE
        ).result()
    assert project.put_proposals(media_id, [], key="k2", batch_id="b2")
    (kept,) = project.load(media_id).instances
    assert (kept.provenance, kept.mask) == (Provenance.CORRECTED, square(3))


def test_that_a_document_and_its_project_agree_through_its_edits(project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    document = project.load(media_id)
    saved: list[Future[None]] = []
    document.subscribe(lambda edit: saved.append(project.save(media_id, edit.diff, name=edit.name)))
    found = drawn(class_id)
    with document.edit("Draw"):
        document.add(found)
    with document.edit("Review"):
        document.accept_image([found.id])
    assert project.load(media_id).records == document.records
    assert project.review_state(media_id) is ReviewState.REVIEWED


def test_that_an_image_nobody_touched_loads_empty_and_unlabelled(project: Project) -> None:
    media_id = ids(project)[0]
    assert project.load(media_id).records == Document().records
    assert project.review_state(media_id) is ReviewState.UNLABELLED


def test_that_a_class_is_made_once_and_survives(folder: Path) -> None:
    with Project.open(folder) as project:
        first = project.ensure_class("cell")
        assert project.ensure_class("cell") == first
        second = project.ensure_class("кошка 🐈")
    with Project.open(folder) as project:
        assert project.classes() == (first, second)


def test_that_colors_are_distinct_to_the_eye() -> None:
    used: list[str] = []
    for _ in range(24):
        used.append(next_color(used))
    labs = [np.array(_oklab(color)) for color in used]
    nearest = min(float(np.linalg.norm(a - b)) for i, a in enumerate(labs) for b in labs[:i])
    assert nearest > 0.08, "a just noticeable difference in OKLab is about 0.02"
    assert next_color([]) == used[0], "the same classes get the same colours everywhere"


def test_that_the_states_of_all_images_are_read_at_once(project: Project) -> None:
    first, second, third = ids(project)
    states = {
        first: ImageState(ReviewState.REVIEWED, ("blurred",)),
        second: ImageState(ReviewState.UNLABELLED, skip=True),
    }
    for media_id, state in states.items():
        project.save(media_id, Diff(updated={IMAGE_STATE_ID: (ImageState(), state)}), name="Review")
    project.flush()
    assert project.image_states() == states
    assert third not in project.image_states()
