"""Classes are changed in steps that touch every instance at once, and that are undone exactly."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from engine.document.diff import Diff, Source
from engine.document.masks import pack
from engine.document.records import ClassDef, Instance
from engine.errors import ProjectError
from engine.project import Project, classes, schema
from tests.engine.project.making import adding, drawn, everything, ids, instances_of, proposal


@pytest.fixture
def car(project: Project) -> ClassDef:
    return project.ensure_class("car")


@pytest.fixture
def auto(project: Project) -> ClassDef:
    return project.ensure_class("auto")


def put(project: Project, place: int, *instances: Instance) -> int:
    media_id = ids(project)[place]
    project.save(media_id, adding(*instances), name="Draw").result()
    return media_id


def names(project: Project) -> list[str]:
    return [one.name for one in project.classes()]


def class_of(project: Project, media_id: int, instance: Instance) -> int:
    return project.load(media_id).instance(instance.id).class_id


def test_that_a_merge_moves_every_instance_and_its_undo_gives_each_its_class_back(
    project: Project, car: ClassDef, auto: ClassDef
) -> None:
    one, two, three = drawn(car.id), drawn(auto.id), drawn(auto.id)
    first, second = put(project, 0, one, two), put(project, 1, three)
    before = everything(project)
    project.merge_classes([auto.id], car.id)
    assert names(project) == ["car"]
    assert {class_of(project, first, one), class_of(project, first, two)} == {car.id}
    assert class_of(project, second, three) == car.id
    assert project.undo_classes() == "Merge auto into car"
    assert everything(project) == before
    assert names(project) == ["car", "auto"]
    assert project.redo_classes() == "Merge auto into car"
    assert class_of(project, second, three) == car.id


def test_that_deleting_a_class_in_use_deletes_its_instances_until_it_is_undone(
    project: Project, car: ClassDef, auto: ClassDef
) -> None:
    kept, lost = drawn(car.id), drawn(auto.id)
    media_id = put(project, 0, kept, lost)
    assert project.survey().of_class([auto.id]).use.instances == 1
    project.delete_classes([auto.id])
    assert instances_of(project, media_id) == {kept.id}
    assert project.survey().use.instances == 1
    project.undo_classes()
    assert instances_of(project, media_id) == {kept.id, lost.id}


def test_that_class_changes_are_undone_after_a_restart(folder: Path) -> None:
    with Project.open(folder) as project:
        project.refresh()
        made = project.ensure_class("car")
        media_id = put(project, 0, drawn(made.id))
        project.rename_class(made.id, "vehicle")
        project.recolor_class(made.id, "#AA0000")
        project.delete_classes([made.id])
    with Project.open(folder) as project:
        assert project.class_past().undo == "Delete vehicle"
        project.undo_classes()
        assert len(instances_of(project, media_id)) == 1
    with Project.open(folder) as project:
        project.undo_classes()
        assert project.undo_classes() == "Rename car to vehicle"
        assert project.classes() == (made,)
        assert project.undo_classes() == ""
        assert project.class_past().redo == "Rename car to vehicle"


def test_that_a_change_that_fails_changes_nothing(project: Project, car: ClassDef, auto: ClassDef) -> None:
    with pytest.raises(ProjectError, match="already"):
        project.rename_class(auto.id, " car ")
    with pytest.raises(ProjectError, match="needs a name"):
        project.rename_class(auto.id, "  ")
    with pytest.raises(ProjectError, match="no colour"):
        project.recolor_class(auto.id, "red")
    with pytest.raises(ProjectError, match="not in the project"):
        project.merge_classes([auto.id, 99], car.id)
    assert project.classes() == (car, auto)
    assert project.class_past().undo == ""


def test_that_a_new_change_ends_what_could_be_redone(project: Project, car: ClassDef) -> None:
    project.rename_class(car.id, "van")
    project.undo_classes()
    project.recolor_class(car.id, "#123456")
    assert project.redo_classes() == ""
    assert names(project) == ["car"]


def test_that_making_a_class_is_not_undone_under_what_was_drawn_since(project: Project) -> None:
    (made,) = project.add_classes([ClassDef(0, "van", "")])
    put(project, 0, drawn(made.id))
    with pytest.raises(ProjectError, match='"van" has 1 instances by now'):
        project.undo_classes()
    assert names(project) == ["van"]


def test_that_a_set_of_classes_comes_in_as_one_step_beside_those_that_are_there(
    project: Project, car: ClassDef
) -> None:
    made = project.add_classes([ClassDef(5, "car", "#010203"), ClassDef(6, "bus", "#0000ff", ("nose",))])
    assert [(one.name, one.color, one.keypoints) for one in made] == [("bus", "#0000ff", ("nose",))]
    assert project.classes()[0] == car
    assert project.undo_classes() == "Add bus"
    assert project.classes() == (car,)


def test_that_a_deleted_name_can_be_used_again_and_its_undo_finds_another(
    project: Project, car: ClassDef
) -> None:
    media_id = put(project, 0, drawn(car.id))
    project.delete_classes([car.id])
    again = project.ensure_class("car")  # a model says so
    assert again.id != car.id
    assert instances_of(project, media_id) == set()
    project.undo_classes()
    assert {one.id: one.name for one in project.classes()} == {car.id: "car (2)", again.id: "car"}
    assert len(instances_of(project, media_id)) == 1


def test_that_a_model_follows_a_merge(project: Project, car: ClassDef, auto: ClassDef) -> None:
    project.merge_classes([auto.id], car.id)
    assert project.ensure_class("auto").id == car.id
    project.undo_classes()
    assert project.ensure_class("auto").id == auto.id


def test_that_merges_follow_one_another(project: Project, car: ClassDef, auto: ClassDef) -> None:
    thing = project.ensure_class("thing")
    one = drawn(auto.id)
    media_id = put(project, 0, one)
    project.merge_classes([auto.id], car.id)
    project.merge_classes([car.id], thing.id)
    assert class_of(project, media_id, one) == thing.id
    project.delete_classes([thing.id])
    assert instances_of(project, media_id) == set()


def test_that_an_edit_of_a_document_opened_before_a_merge_is_kept(
    project: Project, car: ClassDef, auto: ClassDef
) -> None:
    media_id = ids(project)[0]
    project.merge_classes([auto.id], car.id)
    one = drawn(auto.id)
    project.save(media_id, adding(one), name="Draw").result()
    assert class_of(project, media_id, one) == car.id


def test_that_undo_of_an_image_gives_the_class_that_stands(
    project: Project, car: ClassDef, auto: ClassDef
) -> None:
    one = drawn(auto.id)
    media_id = put(project, 0, one)
    project.save(media_id, Diff(removed={one.id: one}), name="Delete").result()
    project.merge_classes([auto.id], car.id)
    assert project.undo(media_id) == adding(replace(one, class_id=car.id))
    assert class_of(project, media_id, one) == car.id


def test_that_undo_of_an_image_passes_over_what_went_with_a_class(
    project: Project, car: ClassDef, auto: ClassDef
) -> None:
    kept, lost = drawn(car.id), drawn(auto.id)
    media_id = put(project, 0, kept)
    put(project, 0, lost)
    project.delete_classes([auto.id])
    assert project.undo(media_id) == Diff(removed={kept.id: kept})
    assert instances_of(project, media_id) == set()


def test_that_new_proposals_take_the_place_of_those_of_a_deleted_class(
    project: Project, car: ClassDef, auto: ClassDef
) -> None:
    media_id = ids(project)[0]
    old, new = proposal(auto.id), proposal(car.id)
    project.put_proposals(media_id, [old], key="1", batch_id="one")
    project.delete_classes([auto.id])
    project.put_proposals(media_id, [new], key="2", batch_id="two")
    project.undo_classes()
    assert instances_of(project, media_id) == {new.id}


def test_that_a_batch_on_a_merged_class_is_undone(project: Project, car: ClassDef, auto: ClassDef) -> None:
    media_id = ids(project)[0]
    project.put_proposals(media_id, [proposal(auto.id)], key="1", batch_id="one")
    project.merge_classes([auto.id], car.id)
    assert project.undo_batch("one") == 1
    assert instances_of(project, media_id) == set()
    assert project.survey().use.instances == 0


def test_that_the_classes_keep_the_order_they_are_given(
    project: Project, car: ClassDef, auto: ClassDef
) -> None:
    thing = project.ensure_class("thing")
    project.order_classes([thing.id, car.id])
    assert names(project) == ["thing", "car", "auto"]
    project.undo_classes()
    assert names(project) == ["car", "auto", "thing"]


def test_that_nothing_is_changed_in_a_project_for_reading(
    folder: Path, project: Project, car: ClassDef
) -> None:
    with Project.open(folder, read_only=True) as reader, pytest.raises(ProjectError, match="reading only"):
        reader.delete_classes([car.id])
    assert names(project) == ["car"]


def test_that_a_project_of_the_first_version_keeps_its_classes_and_instances(folder: Path) -> None:
    path = folder / ".maskwright" / "project.db"
    path.parent.mkdir()
    one, guess = drawn(7), proposal(7, score=0.25)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, path, schema.MIGRATIONS[:1])
        connection.execute("INSERT INTO class (id, name, color, position) VALUES (7, 'car', '#ff0000', 0)")
        connection.execute("INSERT INTO media (id, path, size, mtime_ns) VALUES (3, 'a.png', 1, 1)")
        for instance in (one, guess):
            mask = instance.mask
            assert mask is not None
            connection.execute(
                "INSERT INTO instance (media_id, id, class_id, provenance, score, mask)"
                " VALUES (3, ?, 7, ?, ?, ?)",
                (instance.id, instance.provenance, instance.score, pack(mask)),
            )
    with Project.open(folder) as project:
        assert project.classes() == (ClassDef(7, "car", "#ff0000"),)
        assert instances_of(project, 3) == {one.id, guess.id}
        found = project.survey()
        assert sorted(found.areas) == [16.0, 16.0]
        assert found.is_proposal.sum() == 1
        project.delete_classes([7])
        assert instances_of(project, 3) == set()
    assert (path.parent / "project.db.v1.bak").exists()


def test_that_an_import_into_a_merged_class_lands_where_it_stands(
    project: Project, car: ClassDef, auto: ClassDef
) -> None:
    media_id = ids(project)[0]
    project.merge_classes([auto.id], car.id)
    guess = proposal(auto.id)
    project.save(media_id, adding(guess), name="Propose", source=Source.ENGINE).result()
    assert class_of(project, media_id, guess) == car.id


def test_that_a_change_that_breaks_off_half_way_changes_nothing(
    project: Project, car: ClassDef, auto: ClassDef, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing = project.ensure_class("thing")
    put(project, 0, drawn(car.id), drawn(auto.id))
    before = everything(project)
    insert, calls = classes._insert, 0

    def second_fails(connection: sqlite3.Connection, row: classes._Row) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("pulled")
        insert(connection, row)

    monkeypatch.setattr(classes, "_insert", second_fails)
    with pytest.raises(RuntimeError, match="pulled"):
        project.merge_classes([car.id, auto.id], thing.id)
    monkeypatch.undo()
    assert project.classes() == (car, auto, thing)
    assert everything(project) == before
    assert project.class_past().undo == ""
