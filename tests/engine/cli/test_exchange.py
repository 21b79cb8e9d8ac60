"""`import`, `export` and `formats` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from main import main
from tests.engine.exchange.making import annotation, coco, pictures, saved


def test_that_labels_go_in_and_come_out_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures(tmp_path / "p")
    file = saved(folder / "labels.json", coco(annotations=[annotation(7)]))
    assert main(["import", str(file), "--dry-run"]) == 0
    assert "Nothing was changed" in capsys.readouterr().err
    assert not (folder / ".maskwright").exists()
    assert main(["import", str(file), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["imported"] == {"images": 2, "instances": 1}
    assert main(["export", str(folder), "--format", "labelme", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "a.json").is_file()
    assert main(["import", str(tmp_path / "out"), "--images", str(folder), "--dry-run", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["format"], again["reviewed_already"]) == ("labelme", 2)


def test_that_a_broken_file_imports_nothing_unless_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures(tmp_path / "p")
    file = saved(folder / "labels.json", coco(annotations=[annotation(7), annotation(8, bbox=[1])]))
    assert main(["import", str(file)]) == 1
    assert "1 broken parts, so nothing was imported" in capsys.readouterr().err
    assert not (folder / ".maskwright").exists()
    assert main(["import", str(file), "--skip-broken"]) == 0
    assert "1 instances on 2 images" in capsys.readouterr().err


def test_that_the_formats_are_listed_with_what_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats"]) == 0
    out = capsys.readouterr().out
    assert "coco" in out
    assert "labelme" in out
    assert "keypoints" in out


def test_that_a_mirror_is_chosen_kept_and_settled_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures(tmp_path / "p")
    file = saved(tmp_path / "labels.json", coco(annotations=[annotation(7)]))
    assert main(["import", str(file), "--images", str(folder)]) == 0
    assert main(["mirror", str(folder)]) == 0
    assert "No label files are kept" in capsys.readouterr().err
    (folder / "b.json").write_text("{}")
    assert main(["mirror", str(folder), "--format", "labelme"]) == 1
    said = capsys.readouterr().err
    assert "1 label files written" in said
    assert "left alone (b.json)" in said
    assert main(["mirror", str(folder), "--overwrite"]) == 0
    assert "shapes" in (folder / "b.json").read_text()
    assert main(["mirror", str(folder), "--format", "off"]) == 0
    assert main(["mirror", str(folder / "none")]) == 1
