"""What a fine-tuning learns from, set down in a file: it comes back as it was."""

from __future__ import annotations

from pathlib import Path

from engine.project import Project
from engine.train.snapshot import read_snapshot, write_snapshot
from engine.train.sources import load_for_tuning
from engine.tuning.preparing import prepare
from tests.engine.train.toy import toy_set
from tests.engine.tuning.making import reviewed_project


def test_that_what_is_learned_from_is_set_down_as_it_is(tmp_path: Path) -> None:
    folder = reviewed_project(tmp_path / "discs", 6)
    with Project.open(folder) as project:
        list(prepare(project, 0.2))
    learned, measured = load_for_tuning(folder)
    assert learned.images
    assert measured.images
    file = tmp_path / "some" / "x.data"
    write_snapshot(file, learned, measured)
    again = read_snapshot(file)
    assert again == (learned, measured)
    assert [one.fingerprint() for one in again] == [learned.fingerprint(), measured.fingerprint()]
    odd = toy_set(tmp_path, 1)
    write_snapshot(file, odd, odd.with_images(()))
    assert read_snapshot(file) == (odd, odd.with_images(()))
