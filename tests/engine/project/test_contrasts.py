"""The contrasts that a project keeps: a file's own before the project's, and theirs under a new name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from engine.document.contrast import AUTOMATIC, Contrast, Way
from engine.errors import ProjectError
from engine.measure.project import Scales, keep_scale
from engine.measure.scale import Scale
from engine.project import Project
from engine.project.contrasts import Contrasts, contrasts_of, keep_contrasts

USUAL, OWN = Contrast(Way.WINDOW, 10, 200), Contrast(Way.PERCENTILE, 1, 99, 0.7)


def by_path(project: Project) -> dict[str, Contrast]:
    return {item.path: item.contrast for item in project.media()}


def test_that_a_new_project_leaves_it_to_the_program(project: Project) -> None:
    assert contrasts_of(project) == Contrasts()
    assert set(by_path(project).values()) == {AUTOMATIC}


def test_that_images_have_their_files_own_contrast_or_the_projects(project: Project) -> None:
    keep_contrasts(project, Contrasts(USUAL, {"b.png": OWN}))
    assert by_path(project) == {"a.png": USUAL, "b.png": OWN, "sub/c.jpg": USUAL}
    assert project.frame_item("b.png", 3).contrast == OWN


def test_that_what_is_kept_replaces_all_that_was(project: Project) -> None:
    keep_contrasts(project, Contrasts(USUAL, {"b.png": OWN}))
    before = contrasts_of(project)
    keep_contrasts(project, Contrasts())
    assert contrasts_of(project) == Contrasts()
    keep_contrasts(project, before)
    assert contrasts_of(project) == before


def test_that_a_file_may_be_automatic_where_the_project_is_not(project: Project) -> None:
    keep_contrasts(project, Contrasts(USUAL).with_own("a.png", AUTOMATIC))
    assert by_path(project)["a.png"] == AUTOMATIC
    keep_contrasts(project, contrasts_of(project).with_own("a.png", None))
    assert by_path(project)["a.png"] == USUAL


def test_that_renamed_files_keep_what_was_noted_of_them_also_when_two_swap(
    project: Project, folder: Path
) -> None:
    for item in project.media():
        project.ensure_hash(item.id)
    keep_contrasts(project, Contrasts(AUTOMATIC, {"a.png": USUAL, "b.png": OWN}))
    keep_scale(project, Scale(0.5, "mm"), "a.png")
    (folder / "a.png").rename(folder / "x")
    (folder / "b.png").rename(folder / "a.png")
    (folder / "x").rename(folder / "b.png")
    assert len(project.refresh().renamed) == 2
    assert contrasts_of(project).own == {"b.png": USUAL, "a.png": OWN}
    (folder / "b.png").rename(folder / "sub" / "b.png")
    project.refresh()
    assert contrasts_of(project).own == {"sub/b.png": USUAL, "a.png": OWN}
    moved = next(item for item in project.media() if item.path == "sub/b.png")
    assert Scales(project).of(moved) == Scale(0.5, "mm")


def test_that_an_unknown_contrast_does_not_close_the_project(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.note({"contrast": "spline:1:2:3", "contrast:a.png": str(OWN)})
    with caplog.at_level(logging.WARNING):
        assert by_path(project)["a.png"] == OWN
    assert "spline" in caplog.text
    assert by_path(project)["b.png"] == AUTOMATIC


def test_that_a_read_only_project_is_not_changed(project: Project, folder: Path, tmp_path: Path) -> None:
    with (
        Project.open(folder, read_only=True, data_dir=tmp_path / "data") as other,
        pytest.raises(ProjectError),
    ):
        keep_contrasts(other, Contrasts(USUAL))
    assert contrasts_of(project) == Contrasts()
