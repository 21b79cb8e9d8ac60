"""Undo that outlives the program, proposals, and batches of them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.document.diff import Diff, Source
from engine.document.document import Document, Edit, Step
from engine.document.history import History
from engine.document.records import (
    ClassDef,
    IgnoreRegion,
    Instance,
    Provenance,
    ReviewState,
    new_id,
)
from engine.document.rules import ProtectedError
from engine.project import Project
from engine.project.journal import Past
from tests.engine.project.making import adding, drawn, ids, instances_of, proposal, speckled, square


@pytest.fixture
def cell(project: Project) -> ClassDef:
    return project.ensure_class("cell")


@pytest.fixture
def media_id(project: Project) -> int:
    return ids(project)[0]


def accept_image(project: Project, media_id: int, visible: Iterable[int] | None = None) -> None:
    """A person accepts the image as it is."""
    document = project.load(media_id)
    edits: list[Edit] = []
    document.subscribe(edits.append)
    with document.edit("Accept"):
        document.accept_image(instances_of(project, media_id) if visible is None else list(visible))
    project.save(media_id, edits[0].diff, name="Accept").result()


def test_that_undo_and_redo_survive_a_restart(folder: Path) -> None:
    with Project.open(folder) as project:
        project.refresh()
        media_id = ids(project)[0]
        first, second = (drawn(project.ensure_class("cell").id) for _ in range(2))
        project.save(media_id, adding(first), name="Draw")
        project.save(media_id, adding(second), name="Draw")
    with Project.open(folder) as project:
        assert project.undo(media_id) == Diff(removed={second.id: second})
    with Project.open(folder) as project:
        assert project.undo(media_id) == Diff(removed={first.id: first})
        assert project.undo(media_id) is None
        assert instances_of(project, media_id) == set()
    with Project.open(folder) as project:
        assert project.redo(media_id) == adding(first)
        assert project.redo(media_id) == adding(second)
        assert project.redo(media_id) is None
        assert instances_of(project, media_id) == {first.id, second.id}


def test_that_the_names_of_what_can_be_undone_and_redone_are_known(
    project: Project, cell: ClassDef, media_id: int
) -> None:
    for name in ("First", "Second", "Third"):
        project.save(media_id, adding(drawn(cell.id)), name=name)
    found = project.queue_proposals(media_id, [proposal(cell.id)], key="k", batch_id="b")
    assert project.queue_undo(media_id).result() is not None
    assert project.queue_undo(media_id).result() is not None
    assert found.result()
    assert project.history(media_id) == Past(("First",), ("Third", "Second"))
    assert project.queue_redo(media_id).result() is not None
    assert project.history(media_id) == Past(("First", "Second"), ("Third",))


def test_that_a_new_edit_ends_what_could_be_redone(project: Project, cell: ClassDef, media_id: int) -> None:
    first, second = drawn(cell.id), drawn(cell.id)
    project.save(media_id, adding(first), name="Draw")
    project.undo(media_id)
    project.save(media_id, adding(second), name="Draw")
    assert project.redo(media_id) is None
    assert project.undo(media_id) == Diff(removed={second.id: second})
    assert project.undo(media_id) is None


def test_that_undo_is_of_one_image(project: Project, cell: ClassDef) -> None:
    first, other = ids(project)[:2]
    project.save(first, adding(drawn(cell.id)), name="Draw")
    project.save(other, adding(drawn(cell.id)), name="Draw")
    assert project.undo(first) is not None
    assert project.undo(first) is None
    assert len(instances_of(project, other)) == 1


def test_that_only_a_persons_edits_are_undone(project: Project, cell: ClassDef, media_id: int) -> None:
    mine, imported = drawn(cell.id), Instance(new_id(), cell.id, square(), provenance=Provenance.IMPORTED)
    project.save(media_id, adding(mine), name="Draw")
    project.save(media_id, adding(imported), name="Import", source=Source.IMPORT)
    found = proposal(cell.id)
    project.put_proposals(media_id, [found], key="k", batch_id="b")
    assert project.undo(media_id) == Diff(removed={mine.id: mine})
    assert project.undo(media_id) is None
    assert instances_of(project, media_id) == {imported.id, found.id}
    assert project.review_state(media_id) is ReviewState.PROPOSED


def test_that_undo_never_makes_an_image_reviewed_that_the_engine_changed(
    project: Project, cell: ClassDef, media_id: int
) -> None:
    accept_image(project, media_id)
    document = project.load(media_id)
    edits: list[Edit] = []
    document.subscribe(edits.append)
    with document.edit("Open again"):
        document.replace(type(document.state)())
    project.save(media_id, edits[0].diff, name="Open again").result()
    assert project.put_proposals(media_id, [proposal(cell.id)], key="k", batch_id="b")
    project.undo(media_id)
    assert project.review_state(media_id) is not ReviewState.REVIEWED


@given(seed=st.integers(0, 2**32), length=st.integers(1, 25))
@settings(max_examples=20, deadline=None)
def test_that_the_journal_undoes_as_the_open_document_does(
    seed: int, length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Random edits, proposals, undos, redos and restarts: the in-memory history is the measure."""
    dice = random.Random(seed)
    folder = tmp_path_factory.mktemp("journal")
    (folder / "a.png").write_bytes(b"a")
    project = Project.open(folder)
    try:
        project.refresh()
        (media_id,) = ids(project)
        class_id = project.ensure_class("cell").id
        document = Document()
        history = History(document)
        for number in range(length):
            kind = dice.choice(("edit", "edit", "edit", "undo", "undo", "redo", "propose", "restart"))
            if kind == "undo":
                _expect(project.undo(media_id), history.undo())
            elif kind == "redo":
                _expect(project.redo(media_id), history.redo())
            elif kind == "propose":
                _propose(project, document, class_id, number)
            elif kind == "restart":
                project.close()
                project = Project.open(folder)
            else:
                _edit(project, document, class_id, dice)
            assert project.load(media_id).records == document.records
    finally:
        project.close()


def _expect(diff: Diff | None, edit: Edit | None) -> None:
    assert (diff is None) == (edit is None)
    if edit is not None:
        assert diff == edit.diff
        assert edit.step is not Step.DO


def _propose(project: Project, document: Document, class_id: int, number: int) -> None:
    (media_id,) = ids(project)
    before = dict(document.records)
    if project.put_proposals(
        media_id, [proposal(class_id), proposal(class_id, 8)], key="k", batch_id=f"b{number}"
    ):
        after = dict(project.load(media_id).records)
        document.apply(Diff.between(before, after), name="Propose", source=Source.ENGINE)


def _edit(project: Project, document: Document, class_id: int, dice: random.Random) -> None:
    (media_id,) = ids(project)
    edits: list[Edit] = []
    end = document.subscribe(edits.append)
    with document.edit("Edit"):
        for _ in range(dice.randrange(1, 3)):
            there = document.instances
            kind = dice.choice(("add", "add", "ignore", "paint", "class", "remove", "accept", "review"))
            if kind == "add":
                document.add(Instance(new_id(), class_id, speckled(dice), z=document.next_z))
            elif kind == "ignore":
                document.add(IgnoreRegion(new_id(), speckled(dice)))
            elif kind == "review":
                document.accept_image([instance.id for instance in there if dice.random() < 0.7])
            elif there:
                _change(document, dice.choice(there), kind, dice)
    end()
    for edit in edits:
        project.save(media_id, edit.diff, name=edit.name, source=edit.source)


def _change(document: Document, instance: Instance, kind: str, dice: random.Random) -> None:
    if kind == "remove":
        document.remove(instance.id)
    elif kind == "accept":
        document.accept(instance.id)
    else:
        values = {name: getattr(instance, name) for name in Instance.__slots__}
        changed = {"mask": speckled(dice)} if kind == "paint" else {"z": dice.randrange(9)}
        document.replace(Instance(**(values | changed)))


def test_that_proposals_replace_only_proposals(project: Project, cell: ClassDef, media_id: int) -> None:
    mine = drawn(cell.id)
    project.save(media_id, adding(mine), name="Draw")
    old, new = proposal(cell.id), proposal(cell.id)
    assert project.put_proposals(media_id, [old], key="old model", batch_id="1")
    assert project.prediction_key(media_id) == "old model"
    assert project.put_proposals(media_id, [new], key="new model", batch_id="2")
    assert instances_of(project, media_id) == {mine.id, new.id}
    assert project.prediction_key(media_id) == "new model"
    assert project.review_state(media_id) is ReviewState.PROPOSED


def test_that_a_reviewed_image_is_left_alone(project: Project, cell: ClassDef, media_id: int) -> None:
    accept_image(project, media_id)
    assert not project.put_proposals(media_id, [proposal(cell.id)], key="k", batch_id="b")
    assert instances_of(project, media_id) == set()
    assert project.prediction_key(media_id) is None


def test_that_only_proposals_can_be_proposed(project: Project, cell: ClassDef, media_id: int) -> None:
    with pytest.raises(ProtectedError):
        project.put_proposals(media_id, [drawn(cell.id)], key="k", batch_id="b")
    assert instances_of(project, media_id) == set()
    assert project.batches() == ()


def test_that_undoing_a_batch_removes_what_it_added(project: Project, cell: ClassDef) -> None:
    for media_id in ids(project):
        assert project.put_proposals(media_id, [proposal(cell.id), proposal(cell.id)], key="k", batch_id="b")
    (batch,) = project.batches()
    assert (batch.id, batch.images) == ("b", 3)
    assert project.undo_batch("b") == 3
    for media_id in ids(project):
        assert instances_of(project, media_id) == set()
        assert project.review_state(media_id) is ReviewState.UNLABELLED
        assert project.prediction_key(media_id) is None
    assert project.undo_batch("b") == 0
    assert project.batches()[0].images == 0


def test_that_undoing_a_batch_keeps_what_a_person_touched(project: Project, cell: ClassDef) -> None:
    reviewed, touched, untouched = ids(project)
    for media_id in (reviewed, touched, untouched):
        project.put_proposals(media_id, [proposal(cell.id), proposal(cell.id)], key="k", batch_id="b")
    accept_image(project, reviewed)
    document = project.load(touched)
    edits: list[Edit] = []
    document.subscribe(edits.append)
    with document.edit("Accept"):
        document.accept(document.instances[0].id)
    project.save(touched, edits[0].diff, name="Accept").result()
    assert project.undo_batch("b") == 2
    assert len(instances_of(project, reviewed)) == 2
    assert instances_of(project, touched) == {document.instances[0].id}
    assert instances_of(project, untouched) == set()


def test_that_undoing_the_last_batch_brings_the_one_before_back(
    project: Project, cell: ClassDef, media_id: int
) -> None:
    old, new = proposal(cell.id), proposal(cell.id)
    project.put_proposals(media_id, [old], key="old", batch_id="1")
    project.put_proposals(media_id, [new], key="new", batch_id="2")
    project.undo_batch("2")
    assert project.load(media_id).instances == (old,)
    assert project.prediction_key(media_id) == "old"
    assert project.review_state(media_id) is ReviewState.PROPOSED


@pytest.mark.parametrize("order", [("1", "2"), ("2", "1")])
def test_that_batches_are_undone_in_any_order(
    project: Project, cell: ClassDef, media_id: int, order: tuple[str, str]
) -> None:
    for batch_id in ("1", "2"):
        project.put_proposals(media_id, [proposal(cell.id)], key=batch_id, batch_id=batch_id)
    for batch_id in order:
        project.undo_batch(batch_id)
    assert instances_of(project, media_id) == set()
    assert project.review_state(media_id) is ReviewState.UNLABELLED
    assert project.prediction_key(media_id) is None


def test_that_undoing_a_batch_in_the_middle_leaves_the_newest_proposals_alone(
    project: Project, cell: ClassDef, media_id: int
) -> None:
    newest = proposal(cell.id)
    for batch_id, found in (("1", proposal(cell.id)), ("2", proposal(cell.id)), ("3", newest)):
        project.put_proposals(media_id, [found], key=batch_id, batch_id=batch_id)
    project.undo_batch("2")
    assert project.load(media_id).instances == (newest,)
    assert project.prediction_key(media_id) == "3"


def test_that_a_batch_of_many_images_is_undone_whole(tmp_path: Path) -> None:
    for number in range(230):
        (tmp_path / f"{number}.png").touch()
    with Project.open(tmp_path) as project:
        project.refresh()
        class_id = project.ensure_class("cell").id
        for media_id in ids(project):
            project.put_proposals(media_id, [proposal(class_id)], key="k", batch_id="b")
        assert project.undo_batch("b") == 230
        assert all(not instances_of(project, media_id) for media_id in ids(project))
