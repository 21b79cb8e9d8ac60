"""`label` on a video: frames are images, every n-th of them, and the overlay video shows them in time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.document.records import ReviewState
from engine.media.image import probe, read_rgb
from engine.media.video_index import read_index
from engine.project import Project
from main import main
from tests.engine.media.films import write_film

COUNT = 24


@pytest.fixture
def film(tmp_path: Path, toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A film of 24 frames of odd height in a folder of its own."""
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(toy_models))
    folder = tmp_path / "clips"
    folder.mkdir()
    uneven = [40 * n + (n % 3) * 11 for n in range(COUNT)]
    return write_film(folder / "run.mp4", COUNT, size=(128, 96), times=uneven, options={"g": "8"})


def label(*arguments: object) -> int:
    return main(["label", *map(str, arguments), "--model", "toy"])


def test_that_each_nth_frame_becomes_an_image_with_proposals(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(film, "--every", 6, "--json") == 0
    assert json.loads(capsys.readouterr().out)["labelled"] == 4
    with Project.open(film.parent, read_only=True) as project:
        items = project.media()
        assert [item.frame for item in items] == [0, 6, 12, 18]
        assert {(item.width, item.height) for item in items} == {(128, 96)}
        assert {project.review_state(item.id) for item in items} == {ReviewState.PROPOSED}
        # The frames differ, and so do the answers: each was made from its own picture.
        assert len({project.load(item.id).instances[0].score for item in items}) == 4
    assert label(film, "--every", 3, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["labelled"], figures["up_to_date"]) == (4, 4)


def test_that_the_overlay_video_has_the_labelled_frames_at_their_times(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "seen" / "overlay.mp4"
    assert label(film, "--every", 6, "--threshold", 0.05, "--out-video", out) == 0
    assert probe(out).frames == 4
    original, written = read_index(film), read_index(out)
    expected = [original.seconds(n) for n in (0, 6, 12, 18)]
    assert [written.seconds(n) for n in range(4)] == pytest.approx(expected, abs=2e-3)
    differences = [
        np.abs(read_rgb(out, n).astype(int) - read_rgb(film, 6 * n)).mean() for n in range(written.count)
    ]
    assert min(differences) > 3  # masks are drawn
    assert not list(out.parent.glob(".*"))


def test_that_overlay_pictures_name_their_frames(film: Path, tmp_path: Path) -> None:
    assert label(film, "--every", 12, "--overlays", tmp_path / "o") == 0
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "run.mp4.000000.jpg",
        "run.mp4.000012.jpg",
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [("run.mp4", "write over"), ("overlay.txt", "is no name of a video")],
)
def test_that_an_overlay_video_that_makes_no_sense_is_refused_first(
    film: Path, name: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = film.read_bytes()
    assert label(film, "--out-video", film.parent / name) == 1
    assert says in capsys.readouterr().err
    assert film.read_bytes() == before
    assert label(film.parent, "--out-video", film.parent / "o.mp4") == 1
    assert "name a single video file" in capsys.readouterr().err
    assert not (film.parent / ".maskwright").exists()


def test_that_a_broken_video_does_not_stop_the_others(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (film.parent / "broken.mp4").write_bytes(b"no video at all" * 50)
    assert label(film.parent, "--every", 12, "--json") == 1
    figures = json.loads(capsys.readouterr().out)
    assert (figures["labelled"], figures["failed"]) == (2, 1)
    assert figures["failures"][0].startswith("broken.mp4: ")


def test_that_frames_have_their_numbers_in_the_coco_file(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    assert label(film, "--every", 12, "--out", out) == 0
    names = [image["file_name"] for image in json.loads(out.read_text())["images"]]
    assert names == ["run.mp4#0", "run.mp4#12"]
