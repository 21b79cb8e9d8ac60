"""A contrast acts on pictures of more than 8 bits, whatever their format, and on no others."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from engine.document.contrast import AUTOMATIC, Contrast, Way
from engine.media.image import contrast_in_force, read_deep, read_grey, read_rgb
from engine.proposing import content_key, prediction_key, was_seen_with
from tests.engine.media import make
from tests.engine.media.test_image import png_16

GREY, RGB = 1, 2
WINDOW = Contrast(Way.WINDOW, 1000, 3000)
RAMP = np.linspace(0, 4000, 48).reshape(6, 8)
SEEN = np.clip((RAMP.astype(np.uint16) - 1000.0) / 2000 * 255, 0, 255)


def deep_file(folder: Path, kind: str) -> Path:
    """RAMP as a file of that kind."""
    samples = RAMP.astype(np.uint16)
    path = folder / f"{kind}.tif"
    match kind:
        case "png grey":
            path.write_bytes(png_16(samples[..., None], 0))
        case "png colour":
            path.write_bytes(png_16(samples[..., None].repeat(3, axis=2), 2))
        case "png alpha":
            opaque = np.full_like(samples, 65_535)
            path.write_bytes(png_16(np.stack([samples] * 3 + [opaque], axis=2), 6))
        case "tiff colour":
            path.write_bytes(make.tiff(make.page(samples[..., None].repeat(3, axis=2), photometric=RGB)))
        case _:
            typed = samples.astype(kind)[..., None]
            path.write_bytes(make.tiff(make.page(typed, photometric=GREY)))
    return path


DEEP = ["png grey", "png colour", "png alpha", "tiff colour", "uint16", "int16", "uint32", "float32"]


@pytest.mark.parametrize("kind", DEEP)
def test_that_a_deep_picture_is_seen_through_its_window(tmp_path: Path, kind: str) -> None:
    path = deep_file(tmp_path, kind)
    shown = read_rgb(path, 0, WINDOW)
    assert shown.shape == (6, 8, 3)
    assert np.abs(shown - SEEN[..., None]).max() <= 0.51
    assert contrast_in_force(path, 0, WINDOW) == WINDOW
    assert not np.array_equal(shown, read_rgb(path))


@pytest.mark.parametrize("kind", DEEP)
def test_that_samples_and_their_brightness_are_the_files_own(tmp_path: Path, kind: str) -> None:
    path = deep_file(tmp_path, kind)
    found = read_deep(path)
    assert found is not None
    assert np.array_equal(found[0][..., 0], RAMP.astype(np.uint16))
    assert np.allclose(read_grey(path), RAMP.astype(np.uint16), rtol=1e-5)


def test_that_each_page_is_seen_through_the_window(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    pages = [make.page(np.full((4, 5, 1), value, np.uint16), photometric=GREY) for value in (500, 2000, 3500)]
    path.write_bytes(make.tiff(*pages))
    assert [int(read_rgb(path, frame, WINDOW)[0, 0, 0]) for frame in range(3)] == [0, 128, 255]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_that_8_bit_pictures_are_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(make.encoded(make.scene(), kind))
    assert np.array_equal(read_rgb(path, 0, WINDOW), read_rgb(path))
    assert contrast_in_force(path, 0, WINDOW) == AUTOMATIC
    assert read_deep(path) is None


def test_that_whoever_reads_a_picture_says_by_which_contrast() -> None:
    root = Path(__file__).parents[3]
    silent = [
        f"{path.relative_to(root)}:{node.lineno}"
        for folder in ("engine", "gui")
        for path in sorted((root / folder).rglob("*.py"))
        if path.parent != root / "engine" / "media"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] == "read_rgb"
        and len(node.args) < 3
        and not any(isinstance(one, ast.Starred) for one in node.args)
        and all(one.arg != "contrast" for one in node.keywords)
    ]
    assert silent == []


def key(contrast: Contrast) -> str:
    from engine.predict.settings import PredictSettings

    return prediction_key("c0ffee", 2, "weights", PredictSettings(), None, contrast)


def test_that_a_prediction_is_told_apart_by_the_contrast_it_was_made_with() -> None:
    other = Contrast(Way.WINDOW, 1000, 3001)
    assert len({key(AUTOMATIC), key(WINDOW), key(other)}) == 3
    assert was_seen_with(key(WINDOW), WINDOW)
    assert was_seen_with(key(AUTOMATIC), AUTOMATIC)
    assert not was_seen_with(key(WINDOW), other)
    assert not was_seen_with(key(WINDOW), AUTOMATIC)
    assert not was_seen_with(key(AUTOMATIC), WINDOW)


def test_that_keys_of_before_contrasts_are_still_right() -> None:
    assert content_key("c0ffee", 2, AUTOMATIC) == "c0ffee:2"
    assert key(AUTOMATIC).startswith("c0ffee:2 weights ")
