"""A document changes only inside an edit, which is whole or nothing, and people's work is theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document.diff import Diff, Source
from engine.document.document import Document, Edit, EditError, Step
from engine.document.mask import Mask
from engine.document.records import (
    IMAGE_STATE_ID,
    IgnoreRegion,
    ImageState,
    Instance,
    Keypoint,
    Provenance,
    Record,
    ReviewState,
)
from engine.document.rules import ProtectedError
from tests.engine.document.strategies import contents, seldom

Change: TypeAlias = Callable[[], None]

BIG = Mask.from_full(np.ones((4, 4)))
SMALL = Mask.from_full(np.ones((2, 2)))
PROPOSAL = Instance(1, 1, mask=BIG, box_xyxy=(0.1, 0.2, 3.9, 4.0), score=0.8, provenance=Provenance.PREDICTED)
REVIEWED = ImageState(review=ReviewState.REVIEWED)


def _document(*instances: Instance, state: ImageState | None = None) -> Document:
    return Document(
        {IMAGE_STATE_ID: state or ImageState(), **{instance.id: instance for instance in instances}}
    )


def _heard(document: Document) -> list[Edit]:
    edits: list[Edit] = []
    document.subscribe(edits.append)
    return edits


# Transactions


@seldom
@given(contents(), contents())
def test_that_subscribers_hear_once_of_what_an_edit_changed(
    before: dict[int, Record], after: dict[int, Record]
) -> None:
    document = Document(before)
    edits = _heard(document)
    with document.edit("Import", Source.USER):
        for id_ in before.keys() - after.keys():
            document.remove(id_)
        for id_, record in after.items():
            if id_ not in before and not isinstance(record, ImageState):
                document.add(record)
        document.replace(after[IMAGE_STATE_ID])
    assert [edit.name for edit in edits] == ["Import"] * (len(edits) > 0)
    assert len(edits) == (dict(document.records) != before)
    for edit in edits:
        assert edit.diff == Diff.between(before, document.records)


@seldom
@given(contents(), st.booleans())
def test_that_an_exception_or_cancel_puts_everything_back(before: dict[int, Record], cancels: bool) -> None:
    document = Document(before)
    edits = _heard(document)
    try:
        with document.edit("Brush") as edit:
            document.add(Instance(99, 1))
            document.replace(Instance(99, 2))
            document.replace(REVIEWED)
            for id_ in before.keys() - {IMAGE_STATE_ID}:
                document.remove(id_)
            assert document.instances == (Instance(99, 2),)
            if not cancels:
                raise KeyError("pointer lost")
            edit.cancel()
    except KeyError:
        assert not cancels
    assert document.records == before
    assert 99 not in {instance.id for instance in document.instances}
    assert edits == []


def test_that_a_change_outside_an_edit_is_refused() -> None:
    document = _document(PROPOSAL)
    changes: list[Change] = [
        lambda: document.add(Instance(2, 1)),
        lambda: document.replace(PROPOSAL),
        lambda: document.remove(1),
        lambda: document.accept(1),
        lambda: document.accept_image([1]),
    ]
    for change in changes:
        with pytest.raises(EditError, match="inside"):
            change()
    assert document.instances == (PROPOSAL,)


def test_that_edits_do_not_nest() -> None:
    document = _document()
    with document.edit("Brush"):
        with pytest.raises(EditError, match="inside another"), document.edit("Erase"):
            pass
        with pytest.raises(EditError, match="inside another"):
            document.apply(Diff(added={5: Instance(5, 1)}), name="Undo")
        document.add(Instance(2, 1))
    assert document.instances == (Instance(2, 1),)


def test_that_a_subscriber_cannot_edit_while_it_is_told() -> None:
    document = _document()

    def meddle(edit: Edit) -> None:
        with document.edit("Meddle"):
            document.remove(2)

    end = document.subscribe(meddle)
    with pytest.raises(EditError, match="inside another"), document.edit("Draw"):
        document.add(Instance(2, 1))
    assert document.instances == (Instance(2, 1),)
    end()
    with document.edit("Delete"):
        document.remove(2)
    assert list(document.records) == [IMAGE_STATE_ID]


def test_that_a_step_that_changes_nothing_is_none() -> None:
    document = _document(PROPOSAL)
    edits = _heard(document)
    with document.edit("Nothing"):
        document.add(Instance(2, 1))
        document.remove(2)
        document.remove(1)
        document.add(PROPOSAL)
    assert edits == []


def test_that_wrong_ids_and_kinds_are_refused() -> None:
    document = _document(PROPOSAL)
    with document.edit("Wrong"):
        with pytest.raises(EditError, match="already"):
            document.add(PROPOSAL)
        with pytest.raises(EditError, match="no Instance 7"):
            document.replace(Instance(7, 1))
        with pytest.raises(EditError, match="no IgnoreRegion 1"):
            document.replace(IgnoreRegion(1, SMALL))
        with pytest.raises(EditError, match="no record 7"):
            document.remove(7)
        with pytest.raises(EditError, match="no record 0"):
            document.remove(IMAGE_STATE_ID)
        with pytest.raises(EditError, match="no instance 7"):
            document.accept(7)
    with pytest.raises(ValueError, match="filed under 3"):
        Document({3: PROPOSAL})


def test_that_instances_come_in_z_order_and_regions_by_id() -> None:
    document = Document({i: Instance(i, 1, z=z) for i, z in ((1, 5), (2, -1), (3, 5))})
    with document.edit("Ignore"):
        document.add(IgnoreRegion(9, BIG))
        document.add(IgnoreRegion(8, SMALL))
    assert [instance.id for instance in document.instances] == [2, 1, 3]
    assert [region.id for region in document.ignore_regions] == [8, 9]
    assert document.next_z == 6
    assert Document().next_z == 0


# Provenance


@pytest.mark.parametrize(
    "edited",
    [
        replace(PROPOSAL, class_id=2),
        replace(PROPOSAL, mask=SMALL),
        replace(PROPOSAL, box_xyxy=(0.0, 0.0, 1.0, 1.0)),
        replace(PROPOSAL, keypoints=(Keypoint(1, 1, 2),)),
    ],
)
@pytest.mark.parametrize("provenance", [Provenance.PREDICTED, Provenance.ACCEPTED])
def test_that_editing_what_a_model_made_corrects_it(edited: Instance, provenance: Provenance) -> None:
    document = _document(replace(PROPOSAL, provenance=provenance))
    with document.edit("Correct"):
        document.replace(replace(edited, provenance=provenance))
    assert document.instance(1).provenance is Provenance.CORRECTED


@pytest.mark.parametrize("provenance", [Provenance.DRAWN, Provenance.IMPORTED, Provenance.CORRECTED])
def test_that_editing_what_a_person_made_leaves_its_provenance(provenance: Provenance) -> None:
    document = _document(replace(PROPOSAL, provenance=provenance))
    with document.edit("Correct"):
        document.replace(replace(PROPOSAL, provenance=provenance, mask=SMALL))
    assert document.instance(1).provenance is provenance


def test_that_moving_a_proposal_up_does_not_correct_it() -> None:
    document = _document(PROPOSAL)
    with document.edit("Raise"):
        document.replace(replace(PROPOSAL, z=4, attributes=(("occluded", "yes"),)))
    assert document.instance(1).provenance is Provenance.PREDICTED


def test_that_a_new_mask_drops_the_old_box_and_rings() -> None:
    imported = replace(PROPOSAL, provenance=Provenance.IMPORTED, rings=((0.0, 0.0, 4.0, 0.0, 4.0, 4.0),))
    document = _document(imported)
    with document.edit("Brush"):
        document.replace(replace(imported, mask=SMALL))
    assert document.instance(1).rings == ()
    assert document.instance(1).box_xyxy is None
    with document.edit("Box"):
        document.replace(replace(document.instance(1), mask=BIG, box_xyxy=(0.0, 0.0, 5.0, 5.0)))
    assert document.instance(1).box_xyxy == (0.0, 0.0, 5.0, 5.0)


def test_that_accepting_takes_a_proposal_as_it_is() -> None:
    drawn = Instance(2, 1, mask=SMALL)
    document = _document(PROPOSAL, drawn)
    with document.edit("Accept"):
        document.accept(1)
        document.accept(2)
    assert document.instance(1) == replace(PROPOSAL, provenance=Provenance.ACCEPTED)
    assert document.instance(2) == drawn


def test_that_accepting_an_image_accepts_what_is_seen_and_removes_what_is_hidden() -> None:
    hidden, drawn = replace(PROPOSAL, id=2), Instance(3, 1, mask=SMALL)
    document = _document(PROPOSAL, hidden, drawn, state=ImageState(ReviewState.PROPOSED, flags=("night",)))
    edits = _heard(document)
    with document.edit("Accept image"):
        document.accept_image([1])
    assert document.instances == (replace(PROPOSAL, provenance=Provenance.ACCEPTED), drawn)
    assert document.state == ImageState(ReviewState.REVIEWED, flags=("night",))
    assert len(edits) == 1


def test_that_a_reviewed_image_may_be_empty() -> None:
    document = _document(PROPOSAL)
    with document.edit("Accept image"):
        document.accept_image(())
    assert document.instances == ()
    assert document.state.review is ReviewState.REVIEWED


# Sources


@pytest.mark.parametrize("provenance", [p for p in Provenance if not p.is_proposal])
@pytest.mark.parametrize("source", [Source.ENGINE, Source.IMPORT])
def test_that_a_persons_work_is_left_alone(provenance: Provenance, source: Source) -> None:
    if (source, provenance) == (Source.IMPORT, Provenance.IMPORTED):
        return
    document = _document(replace(PROPOSAL, provenance=provenance))
    edits = _heard(document)
    changes: list[Change] = [lambda: document.remove(1), lambda: document.replace(PROPOSAL)]
    for change in changes:
        with pytest.raises(ProtectedError, match="stays as it is"), document.edit("Predict", source):
            change()
    assert document.instances == (replace(PROPOSAL, provenance=provenance),)
    assert edits == []


def test_that_the_engine_replaces_proposals() -> None:
    document = _document(PROPOSAL)
    edits = _heard(document)
    with document.edit("Predict", Source.ENGINE):
        document.remove(1)
        document.add(replace(PROPOSAL, id=2))
        document.replace(ImageState(ReviewState.PROPOSED))
    with document.edit("Rescore", Source.ENGINE):
        document.replace(replace(PROPOSAL, id=2, mask=SMALL))
    assert document.instances == (replace(PROPOSAL, id=2, mask=SMALL),)
    assert [edit.source for edit in edits] == [Source.ENGINE, Source.ENGINE]


@pytest.mark.parametrize(
    "record",
    [
        Instance(2, 1, provenance=Provenance.DRAWN),
        Instance(2, 1, provenance=Provenance.ACCEPTED),
        IgnoreRegion(2, SMALL),
    ],
)
def test_that_the_engine_adds_nothing_but_proposals(record: Instance | IgnoreRegion) -> None:
    document = _document()
    with pytest.raises(ProtectedError, match="only add proposals"), document.edit("Predict", Source.ENGINE):
        document.add(record)
    assert set(document.records) == {IMAGE_STATE_ID}


def test_that_the_engine_neither_accepts_nor_reviews() -> None:
    document = _document(PROPOSAL)
    with pytest.raises(ProtectedError, match="only add proposals"), document.edit("Accept", Source.ENGINE):
        document.accept(1)
    for state in (REVIEWED, ImageState(skip=True), ImageState(flags=("bad",))):
        with pytest.raises(ProtectedError, match="Only a person"), document.edit("Review", Source.ENGINE):
            document.replace(state)


@pytest.mark.parametrize("source", [Source.ENGINE, Source.IMPORT])
def test_that_a_reviewed_image_is_left_alone(source: Source) -> None:
    document = _document(PROPOSAL, state=REVIEWED)
    changes: list[Change] = [
        lambda: document.remove(1),
        lambda: document.add(replace(PROPOSAL, id=2)),
        lambda: document.replace(ImageState()),
    ]
    for change in changes:
        with pytest.raises(ProtectedError, match="reviewed"), document.edit("Predict", source):
            change()
    with pytest.raises(ProtectedError, match="reviewed"):
        document.apply(Diff(removed={1: PROPOSAL}), name="Predict", source=source)
    assert document.instances == (PROPOSAL,)
    with document.edit("Nothing", source):
        pass


def test_that_the_engine_cannot_unreview_an_image_to_change_it() -> None:
    document = _document(PROPOSAL, state=REVIEWED)

    def unreview_first() -> None:
        with document.edit("Predict", Source.ENGINE):
            document.replace(ImageState())
            document.remove(1)

    with pytest.raises(ProtectedError, match="reviewed"):
        unreview_first()
    assert document.state == REVIEWED
    assert document.instances == (PROPOSAL,)


def test_that_an_import_brings_anything_and_replaces_its_own() -> None:
    document = _document()
    imported = replace(PROPOSAL, provenance=Provenance.IMPORTED)
    with document.edit("Import", Source.IMPORT):
        document.add(imported)
        document.add(Instance(2, 1))
        document.add(IgnoreRegion(3, SMALL))
    with document.edit("Import", Source.IMPORT):
        document.replace(replace(imported, class_id=2))
        document.replace(REVIEWED)
    assert document.instance(1) == replace(imported, class_id=2)
    assert document.state == REVIEWED


# Applying


@seldom
@given(contents(), contents())
def test_that_a_diff_worked_out_elsewhere_is_applied_as_one_edit(
    before: dict[int, Record], after: dict[int, Record]
) -> None:
    document = Document(before)
    edits = _heard(document)
    edit = document.apply(Diff.between(before, after), name="Undo", step=Step.UNDO)
    assert document.records == after
    assert edits == ([] if edit is None else [edit])
    assert edit is None or edit == Edit("Undo", Source.USER, Diff.between(before, after), Step.UNDO)


def test_that_an_images_state_cannot_be_removed() -> None:
    with pytest.raises(EditError, match="state"):
        Document().apply(Diff(removed={IMAGE_STATE_ID: ImageState()}), name="Undo")
