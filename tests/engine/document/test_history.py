"""Undo and redo give the same bytes, keep to a person's own edits, and work around everyone else's."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.document.diff import Source
from engine.document.document import Document, Step
from engine.document.history import History
from engine.document.mask import Mask
from engine.document.paint import paint_disc
from engine.document.records import IgnoreRegion, ImageState, Instance, Provenance, ReviewState
from tests.engine.document.strategies import as_bytes, masks, seldom

Move: TypeAlias = tuple[str, int, Mask]

_KINDS = ("draw", "brush", "class", "raise", "delete", "accept", "accept image", "ignore", "flag", "unreview")
_moves = st.tuples(st.sampled_from(_KINDS), st.integers(0, 5), masks())

PROPOSAL = Instance(1, 1, mask=Mask.from_full(np.ones((4, 4))), score=0.8, provenance=Provenance.PREDICTED)


def _make(document: Document, move: Move) -> None:
    """One edit of a person; those that ask for an instance do nothing where there is none."""
    kind, number, mask = move
    target = document.instances[number % len(document.instances)] if document.instances else None
    with document.edit(kind):
        match kind:
            case "draw" if (100 + number) not in document.records:
                document.add(Instance(100 + number, 1, mask=mask, z=document.next_z))
            case "ignore":
                region = document.records.get(90 + number)
                (document.replace if region else document.add)(IgnoreRegion(90 + number, mask))
            case "flag":
                document.replace(replace(document.state, flags=(str(number),), skip=not document.state.skip))
            case "unreview":
                document.replace(replace(document.state, review=ReviewState.UNLABELLED))
            case "accept image":
                document.accept_image([instance.id for instance in document.instances[number:]])
            case _ if target is None:
                pass
            case "brush":
                document.replace(replace(target, mask=mask))
            case "class":
                document.replace(replace(target, class_id=number))
            case "raise":
                document.replace(replace(target, z=document.next_z))
            case "delete":
                document.remove(target.id)
            case "accept":
                document.accept(target.id)


def _predict(document: Document, number: int) -> None:
    """The engine replaces its proposals, as it does on every run, unless the image is reviewed."""
    if document.state.review is ReviewState.REVIEWED:
        return
    with document.edit("Predict", Source.ENGINE):
        for instance in document.instances:
            if instance.provenance.is_proposal:
                document.remove(instance.id)
        id_ = 1000 + number
        while id_ in document.records:
            id_ += 100
        document.add(replace(PROPOSAL, id=id_))
        document.replace(replace(document.state, review=ReviewState.PROPOSED))


@seldom
@given(st.lists(_moves, max_size=12))
def test_that_any_edits_undone_and_redone_give_the_same_bytes(moves: list[Move]) -> None:
    document = Document({1: PROPOSAL, 2: replace(PROPOSAL, id=2, class_id=2)})
    history = History(document)
    seen = [as_bytes(document.records)]
    for move in moves:
        _make(document, move)
        if as_bytes(document.records) != seen[-1]:
            seen.append(as_bytes(document.records))
    for _ in range(2):
        for expected in seen[-2::-1]:
            assert history.undo() is not None
            assert as_bytes(document.records) == expected
        assert history.undo() is None
        for expected in seen[1:]:
            assert history.redo() is not None
            assert as_bytes(document.records) == expected
        assert history.redo() is None


@seldom
@given(st.lists(_moves | st.sampled_from(["undo", "redo"]), max_size=25))
def test_that_undo_and_redo_in_any_order_walk_one_line_of_states(moves: list[Move | str]) -> None:
    document = Document({1: PROPOSAL})
    history = History(document)
    line, here = [as_bytes(document.records)], 0
    for move in moves:
        if move == "undo":
            assert (history.undo() is not None) == (here > 0)
            here = max(here - 1, 0)
        elif move == "redo":
            assert (history.redo() is not None) == (here + 1 < len(line))
            here = min(here + 1, len(line) - 1)
        elif isinstance(move, tuple):
            _make(document, move)
            if as_bytes(document.records) != line[here]:
                line[here + 1 :] = [as_bytes(document.records)]
                here += 1
        assert as_bytes(document.records) == line[here]


@seldom
@given(st.lists(_moves | st.integers(0, 9) | st.sampled_from(["undo", "redo"]), max_size=25))
def test_that_undo_works_around_the_engine_and_reviews_nothing_unseen(moves: list[Move | int | str]) -> None:
    document = Document({1: PROPOSAL})
    history = History(document)
    for move in moves:
        match move:
            case int():
                _predict(document, move)
            case "undo":
                history.undo()
            case "redo":
                history.redo()
            case tuple():
                _make(document, move)
        # Only accepting an image reviews it here, and that leaves no proposal.
        is_reviewed = document.state.review is ReviewState.REVIEWED
        assert not (is_reviewed and any(instance.provenance.is_proposal for instance in document.instances))
    while history.undo():
        pass
    assert all(instance.provenance.is_proposal for instance in document.instances)
    assert document.ignore_regions == ()
    assert document.state.flags == ()
    assert not document.state.skip


def _history() -> tuple[Document, History]:
    document = Document({1: PROPOSAL})
    return document, History(document)


def test_that_undo_after_the_engines_edit_takes_back_the_persons_alone() -> None:
    document, history = _history()
    with document.edit("Draw"):
        document.add(Instance(5, 1))
    _predict(document, 0)
    edit = history.undo()
    assert edit is not None
    assert (edit.name, edit.source, edit.step) == ("Draw", Source.USER, Step.UNDO)
    assert [instance.id for instance in document.instances] == [1000]
    history.redo()
    assert [instance.id for instance in document.instances] == [5, 1000]


def test_that_edits_of_the_engine_and_of_imports_are_not_undone() -> None:
    document, history = _history()
    _predict(document, 0)
    with document.edit("Import", Source.IMPORT):
        document.add(Instance(7, 1, provenance=Provenance.IMPORTED))
    assert history.undo_name is None
    assert history.undo() is None


def test_that_an_edit_of_which_nothing_is_left_is_passed_over() -> None:
    document, history = _history()
    with document.edit("Flag"):
        document.replace(ImageState(flags=("night",)))
    with document.edit("Raise"):
        document.replace(replace(PROPOSAL, z=3))
    _predict(document, 0)  # takes the raised proposal away
    edit = history.undo()
    assert edit is not None
    assert edit.name == "Flag"
    assert document.state == ImageState(ReviewState.PROPOSED)
    assert history.redo_name == "Flag"


def test_that_redo_does_not_review_what_the_engine_changed_meanwhile() -> None:
    document, history = _history()
    with document.edit("Accept image"):
        document.accept_image([1])
    history.undo()
    with document.edit("Predict", Source.ENGINE):
        document.add(replace(PROPOSAL, id=2))
    history.redo()
    assert document.instance(1).provenance is Provenance.ACCEPTED
    assert document.instance(2).provenance is Provenance.PREDICTED
    assert document.state.review is ReviewState.UNLABELLED


def test_that_a_new_edit_ends_what_could_be_redone() -> None:
    document, history = _history()
    with document.edit("Flag"):
        document.replace(ImageState(flags=("night",)))
    history.undo()
    with document.edit("Skip"):
        document.replace(ImageState(skip=True))
    assert history.redo_name is None
    assert history.redo() is None


def test_that_a_closed_history_remembers_nothing_new() -> None:
    document, history = _history()
    history.close()
    with document.edit("Flag"):
        document.replace(ImageState(flags=("night",)))
    assert history.undo_name is None


def test_that_hundreds_of_strokes_on_a_large_mask_are_remembered_in_little_memory() -> None:
    start = Mask.from_full(np.random.default_rng(0).random((300, 400)) < 0.5)
    document = Document({1: replace(PROPOSAL, mask=start, box_xyxy=None, provenance=Provenance.DRAWN)})
    history = History(document)
    mask = start
    for n in range(300):
        mask = paint_disc(mask, 10 + n % 380, 20 + n % 260, 3.0, height=300, width=400)
        with document.edit("Brush"):
            document.replace(replace(document.instance(1), mask=mask))
    assert history.size_bytes < 300 * 400
    while history.undo():
        pass
    assert document.instance(1).mask == start
