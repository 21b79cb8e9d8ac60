"""Sets on disk: the files say what the renderer meant."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from engine.errors import DataError
from engine.formats.coco import read_coco
from engine.media.image import read_rgb
from engine.synth.__main__ import main
from engine.synth.samples import SAMPLES, SEEDS, SIZE
from engine.synth.scene import EXTRA_CLASS, render
from engine.synth.write import write_set

TINY = ((96, 72), (128, 96))


def test_that_a_written_set_reads_back_as_it_was_rendered(tmp_path: Path) -> None:
    write_set(tmp_path, count=3, seed=40, split="train", sizes=TINY, suffix=".png")
    labelled = read_coco(tmp_path / "truth.json")
    assert labelled.class_names == ("bolt", "nut", "washer", "screw")
    for number, image in enumerate(labelled.images):
        scene = render(40 + number, split="train", size=TINY[number % 2])
        assert np.array_equal(read_rgb(image.path), scene.image)
        assert [(i.class_id, i.mask) for i in image.instances] == [
            (i.class_id, i.mask) for i in scene.instances
        ]


def test_that_two_processes_write_the_same_files_as_one(tmp_path: Path) -> None:
    for workers in (1, 2):
        write_set(tmp_path / str(workers), count=3, seed=1, split="test", sizes=TINY, workers=workers)
    files = [{f.name: f.read_bytes() for f in (tmp_path / w).iterdir()} for w in ("1", "2")]
    assert len(files[0]) == 4
    assert files[0] == files[1]


def test_that_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="file"):
        write_set(tmp_path / "file", count=1, seed=0, split="train", sizes=TINY)


@pytest.mark.parametrize("sizes", ["640", "640x", "0x480", "axb", "96x72,63x64"])
def test_that_a_wrong_size_is_refused_by_name(sizes: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--out", str(tmp_path), "--count", "1", "--sizes", sizes])
    assert result.exit_code == 2
    assert sizes.rpartition(",")[2] in result.output


def test_that_the_command_writes_a_set(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path / "set"), "--count", "2", "--seed", "9", "--sizes", "96x72", "--png"]
    result = CliRunner().invoke(main, [*arguments, "--extra-class"])
    assert result.exit_code == 0, result.output
    assert sorted(f.name for f in (tmp_path / "set").iterdir()) == [
        "tray_000009.png",
        "tray_000010.png",
        "truth.json",
    ]
    assert read_coco(tmp_path / "set" / "truth.json").class_names[-1] == "spring"


def test_that_the_bundled_samples_are_small_pictures_with_their_truth_and_a_class_to_learn() -> None:
    labelled = read_coco(SAMPLES / "truth.json")
    assert [i.path.name for i in labelled.images] == [f"tray_{seed}.jpg" for seed in SEEDS]
    assert len(SEEDS) % 2 == 0  # the demo teaches with every other one
    assert sum(i.path.stat().st_size for i in labelled.images) < 2_000_000
    assert all(len(i.instances) >= 8 for i in labelled.images)
    width, height = SIZE
    assert all(read_rgb(i.path).shape == (height, width, 3) for i in labelled.images)
    springs = [sum(one.class_id == EXTRA_CLASS.id for one in i.instances) for i in labelled.images]
    assert all(springs)


def test_that_the_bundled_samples_are_what_the_generator_renders() -> None:
    image = read_coco(SAMPLES / "truth.json").images[4]
    scene = render(SEEDS[4], split="test", size=SIZE, extra_class=True)
    # JPEG lies between, and another processor may round otherwise: close, not equal.
    apart = cv2.absdiff(read_rgb(image.path), scene.image).mean()
    assert apart < 4
    assert len(image.instances) == len(scene.instances)
    for told, rendered in zip(image.instances, scene.instances, strict=True):
        assert told.mask is not None
        assert rendered.mask is not None
        both = told.mask.to_full(*SIZE[::-1]) & rendered.mask.to_full(*SIZE[::-1])
        assert np.count_nonzero(both) > 0.98 * max(told.mask.area, rendered.mask.area)
