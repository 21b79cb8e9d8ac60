"""What is held out to measure on: decided once, kept for good, near-duplicates and frames together."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from engine.document.diff import Diff
from engine.document.records import IMAGE_STATE_ID, ImageState, ReviewState
from engine.media.likeness import BYTES
from engine.project import Project
from engine.project.active import ActiveModel
from engine.project.held_out import MOST_ALIKE, Look

COUNT = 40


def review_all(project: Project) -> list[int]:
    """Every image is reviewed; their ids."""
    ids = [item.id for item in project.media()]
    diff = Diff(updated={IMAGE_STATE_ID: (ImageState(), ImageState(ReviewState.REVIEWED))})
    for media_id in ids:
        project.save(media_id, diff, name="Review")
    project.flush()
    for media_id in ids:
        project.ensure_hash(media_id)
    return ids


def looks(ids: list[int], seed: int = 0) -> list[Look]:
    """Pictures that have nothing in common."""
    chance = np.random.default_rng(seed)
    return [Look(media_id, chance.bytes(BYTES)) for media_id in ids]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(COUNT):
        (folder / f"{n}.png").write_bytes(b"picture %d" % n)
    return folder


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_that_about_the_asked_share_is_held_out_however_few_there_are(many: Path, share: float) -> None:
    with Project.open(many) as project:
        project.refresh()
        ids = review_all(project)
        for n in range(5, COUNT + 1, 5):
            project.assign_held_out(looks(ids)[n - 5 : n], share)
            assert abs(sum(project.held_out().values()) - share * n) <= 2


def test_that_an_assigned_image_never_moves(many: Path) -> None:
    with Project.open(many) as project:
        project.refresh()
        ids = review_all(project)
        project.assign_held_out(looks(ids[:20]), 0.2)
        before = project.held_out()
        assert project.unassigned() == set(ids[20:])
        project.assign_held_out(looks(ids, seed=9), 0.9)
        after = project.held_out()
        assert {id_: after[id_] for id_ in before} == before
        assert project.unassigned() == set()
    with Project.open(many) as project:
        assert project.held_out() == after


def test_that_the_files_content_decides_and_not_its_name_or_place(tmp_path: Path) -> None:
    chosen = []
    for names in ("abcdefghij", "jihgfedcba"):
        folder = tmp_path / names
        folder.mkdir()
        for n, name in enumerate(names):
            (folder / f"{name}.png").write_bytes(b"content %d" % n)
        with Project.open(folder) as project:
            project.refresh()
            by_content = {project.path_of(item).read_bytes(): item.id for item in project.media()}
            review_all(project)
            project.assign_held_out(looks([by_content[key] for key in sorted(by_content)]), 0.3)
            sides = project.held_out()
            chosen.append({content for content, id_ in by_content.items() if sides[id_]})
    assert chosen[0] == chosen[1]
    assert chosen[0]


def test_that_near_duplicates_go_together(many: Path) -> None:
    with Project.open(many) as project:
        project.refresh()
        ids = review_all(project)
        first = looks(ids[:20])
        project.assign_held_out(first, 0.5)
        sides = project.held_out()
        assert set(sides.values()) == {True, False}
        # Of each a copy in which 30 of 256 bits are others.
        copies = [
            Look(
                id_, bytes(a ^ b for a, b in zip(look.likeness, b"\xff\xff\xff\x3f" + bytes(28), strict=True))
            )
            for id_, look in zip(ids[20:40], first, strict=True)
        ]
        project.assign_held_out(copies, 0.5)
        sides = project.held_out()
        assert [sides[id_] for id_ in ids[20:40]] == [sides[id_] for id_ in ids[:20]]


def test_that_a_camera_that_stands_still_does_not_keep_everything_on_one_side(many: Path) -> None:
    with Project.open(many) as project:
        project.refresh()
        ids = review_all(project)
        project.assign_held_out([Look(id_, bytes(BYTES)) for id_ in ids], 0.3)
        sides = project.held_out()
    assert set(sides.values()) == {True, False}
    assert sum(not side for side in sides.values()) >= MOST_ALIKE


def test_that_the_frames_of_one_file_go_together(many: Path) -> None:
    with Project.open(many) as project:
        project.refresh()
        for name in ("0.png", "1.png", "2.png", "3.png", "4.png", "5.png"):
            project.add_frames(name, range(4))
        ids = review_all(project)
        project.assign_held_out(looks(ids), 0.5)
        sides, by_file = project.held_out(), dict[str, set[bool]]()
        for item in project.media():
            by_file.setdefault(item.path, set()).add(sides[item.id])
    assert all(len(of_file) == 1 for of_file in by_file.values())
    assert set.union(*by_file.values()) == {True, False}


def test_that_only_reviewed_images_that_are_there_are_assigned(many: Path) -> None:
    with Project.open(many) as project:
        project.refresh()
        ids = [item.id for item in project.media()]
        diff = Diff(updated={IMAGE_STATE_ID: (ImageState(), ImageState(ReviewState.REVIEWED))})
        for media_id in ids[:3]:
            project.save(media_id, diff, name="Review").result()
        assert project.unassigned() == set(ids[:3])
        (many / project.media()[0].path).unlink()
        project.refresh()
        assert project.unassigned() == set(ids[1:3])


def test_that_the_active_model_can_be_gone_back_from_and_follows_its_name(many: Path) -> None:
    with Project.open(many) as project:
        assert project.active_model() == ActiveModel()
        assert project.go_back() == ActiveModel()
        project.activate_model("starter")
        project.activate_model("many-1")
        project.activate_model("many-1")  # once more is nothing
        assert project.active_model() == ActiveModel("many-1", "starter")
        project.rename_model("many-1", "best")
        assert project.go_back() == ActiveModel("starter", "best")
        assert project.go_back() == ActiveModel("best", "starter")
    with Project.open(many) as project:
        assert project.active_model() == ActiveModel("best", "starter")


def test_that_a_project_of_before_fine_tuning_is_brought_up(many: Path) -> None:
    with Project.open(many) as project:
        project.refresh()
        ids, database = review_all(project), project.database
    with closing(sqlite3.connect(database)) as connection:
        for table in ("held_out", "examined"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    with Project.open(many) as project:
        assert project.unassigned() == set(ids)
        project.assign_held_out(looks(ids), 0.2)
        assert len(project.held_out()) == COUNT
