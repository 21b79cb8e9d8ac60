"""A scale as people write it, as projects keep it, and as files state it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.errors import DataError
from engine.measure.scale import Scale, from_json, parse_scale, scale_of_file, to_json


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("0.35 µm", Scale(0.35, "µm")),
        ("0,35um", Scale(0.35, "µm")),
        (" 2 mm ", Scale(2.0, "mm")),
        ("1e-3 m", Scale(0.001, "m")),
    ],
)
def test_that_a_scale_is_read_as_people_write_it(text: str, scale: Scale) -> None:
    assert parse_scale(text) == scale
    assert from_json(to_json(scale)) == scale


@pytest.mark.parametrize("text", ["", "µm", "5", "0 mm", "-1 mm", "inf mm", "1 2 mm", "1e999 m", "3 %"])
def test_that_what_is_no_scale_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(DataError, match="is no scale: write how long a pixel is"):
        parse_scale(text)


def test_that_a_damaged_note_means_pixels() -> None:
    for text in ("", "[]", "{}", '{"size": -1, "unit": "mm"}', '{"size": 1, "unit": ""}', '{"size": "x"}'):
        assert from_json(text).is_pixels


def save(path: Path, **options: Any) -> Path:
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(path, **options)
    return path


def test_that_a_resolution_is_taken_and_a_screens_is_not(tmp_path: Path) -> None:
    scanned = scale_of_file(save(tmp_path / "a.tif", dpi=(1200, 1200)))
    assert scanned is not None
    assert scanned.size == pytest.approx(25.4 / 1200)
    assert scanned.unit == "mm"
    assert scale_of_file(save(tmp_path / "b.tif", dpi=(72, 72))) is None
    assert scale_of_file(save(tmp_path / "c.tif")) is None
    by_centimetres = scale_of_file(
        save(tmp_path / "d.tif", resolution_unit=3, x_resolution=100, y_resolution=100)
    )
    assert by_centimetres is not None
    assert by_centimetres.size == pytest.approx(0.1)
    png = scale_of_file(save(tmp_path / "e.png", dpi=(600, 600)))
    assert png is not None
    assert png.size == pytest.approx(25.4 / 600, rel=1e-3)
    jpeg = scale_of_file(save(tmp_path / "f.jpg", dpi=(300, 300)))
    assert jpeg is not None
    assert jpeg.size == pytest.approx(25.4 / 300)


def test_that_imagejs_unit_is_taken(tmp_path: Path) -> None:
    described = "ImageJ=1.53t\nunit=micron\nloop=false"
    path = save(tmp_path / "j.tif", description=described, x_resolution=4.0, y_resolution=4.0)
    assert scale_of_file(path) == Scale(0.25, "µm")
    plain = save(
        tmp_path / "p.tif", description="ImageJ=1.53t\nunit=pixel", x_resolution=4.0, y_resolution=4.0
    )
    assert scale_of_file(plain) is None


def test_that_a_file_that_is_no_picture_states_no_scale(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0 nonsense")
    assert scale_of_file(tmp_path / "a.tif") is None
    assert scale_of_file(tmp_path / "missing.tif") is None
