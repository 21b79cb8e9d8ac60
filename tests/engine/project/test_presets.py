"""Sets of classes come back as they were written, and a file that is none says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.document.records import ClassDef
from engine.errors import ProjectError
from engine.project import Project
from engine.project.presets import read_preset, write_preset

CLASSES = (
    ClassDef(3, "Schraube ä", "#3fa7d6"),
    ClassDef(4, "person", "#00ff00", ("nose", "neck"), ((0, 1),)),
)


def test_that_a_set_comes_back_as_it_was_written(tmp_path: Path, project: Project) -> None:
    path = tmp_path / "sét.json"
    write_preset(path, CLASSES)
    made = project.add_classes(read_preset(path))
    assert [(one.name, one.color, one.keypoints, one.skeleton) for one in made] == [
        (one.name, one.color, one.keypoints, one.skeleton) for one in CLASSES
    ]
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".part"] == []


def test_that_a_disk_that_refuses_is_told_and_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(ProjectError, match="cannot be written"):
        write_preset(tmp_path / "file" / "set.json", CLASSES)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("not JSON", "no set of classes"),
        ("[1]", "no set of classes of Maskwright"),
        ('{"format": "other"}', "no set of classes of Maskwright"),
        ('{"format": "maskwright-classes", "version": 2}', "newer"),
        ('{"format": "maskwright-classes", "version": 1}', "no list"),
        ([{"color": "#112233"}], "Class 1 of .* has no name"),
        ([{"name": "a"}, {"name": " "}], "Class 2 of .* has no name"),
        ([{"name": "a", "color": "red"}], "colour"),
        ([{"name": "a", "keypoints": [1]}], "keypoints"),
        ([{"name": "a", "keypoints": ["x"], "skeleton": [[0, 1]]}], "skeleton"),
        ([{"name": "a", "keypoints": ["x", "y"], "skeleton": [[0, True]]}], "skeleton"),
    ],
)
def test_that_a_file_that_is_no_set_says_what_is_wrong(tmp_path: Path, content: object, told: str) -> None:
    path = tmp_path / "set.json"
    if isinstance(content, list):
        content = json.dumps({"format": "maskwright-classes", "version": 1, "classes": content})
    path.write_text(str(content), encoding="utf-8")
    with pytest.raises(ProjectError, match=told):
        read_preset(path)


def test_that_deep_brackets_do_not_bring_the_program_down(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(ProjectError, match="no set of classes"):
        read_preset(path)
