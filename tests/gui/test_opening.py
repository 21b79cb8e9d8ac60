"""A project read for the window: its thousands of records cost no pause of the collector of garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import ProjectError
from engine.project import Project
from gui.opening import read_project
from tests.gui.making import folder_of


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    gc.unfreeze()
    with Project.open(folder_of(tmp_path / "pictures")) as project:
        project.refresh()
        yield project
    gc.unfreeze()


def test_that_what_was_read_is_never_looked_at_for_garbage(project: Project) -> None:
    found = read_project(project)
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(found.media)
    watched = {id(one) for one in gc.get_objects()}
    assert id(found.items) not in watched
    assert id(found.places) not in watched


def test_that_a_project_that_cannot_be_read_leaves_the_collector_on(project: Project) -> None:
    project.close()
    with pytest.raises(ProjectError):
        read_project(project)
    assert gc.isenabled()
