"""Damaged and hostile files: one sentence each, within limits of time and memory, and nothing printed."""

import functools
import hashlib
import json
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.engine.media import make

_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Reading:
    """What the child process says of one file."""

    folder: str
    name: str
    shape: tuple[int, ...] | None
    error: str
    seconds: float
    written: list[str]


@functools.cache
def read_all(folder: Path) -> list[Reading]:
    """Read every file under the folder in one child process."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.engine.media.reader_child", str(folder)],
        cwd=_ROOT,
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    assert child.stderr == b""
    return [Reading(**json.loads(line)) for line in child.stdout.splitlines()]


def check(readings: list[Reading]) -> None:
    for reading in readings:
        assert (reading.shape is None) == bool(reading.error), reading
        if reading.error:
            assert reading.error.startswith(f"{reading.name}: ")
            assert reading.error.isprintable()
            assert "Traceback" not in reading.error
        assert reading.seconds < 10, reading
        assert reading.written == []


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_that_every_real_file_is_decoded_or_refused_in_one_sentence(shared_data: Path) -> None:
    before = digest(shared_data / "images")
    readings = read_all(shared_data / "images")
    check(readings)
    assert digest(shared_data / "images") == before
    for folder, files, decoded in (("mixed", 663, 624), ("pngsuite", 176, 162), ("exif", 18, 18)):
        shapes = [reading.shape for reading in readings if reading.folder == folder]
        assert len(shapes) == files
        assert sum(shape is not None for shape in shapes) >= decoded


def test_that_every_corrupt_png_of_the_suite_is_refused_and_every_legal_one_read(shared_data: Path) -> None:
    for reading in read_all(shared_data / "images"):
        if reading.folder == "pngsuite" and reading.name.endswith(".png"):
            assert (reading.shape is None) == reading.name.startswith("x"), reading


def test_that_random_damage_gives_a_picture_or_one_sentence(tmp_path: Path) -> None:
    image = Image.fromarray(make.scene(60, 80))
    files = {
        "jpeg": make.encoded(image, "JPEG"),
        "progressive": make.encoded(image, "JPEG", progressive=True),
        "cmyk": make.encoded(image.convert("CMYK"), "JPEG"),
        "png": make.encoded(image, "PNG"),
        "palette": make.encoded(image.quantize(20), "PNG"),
        "gif": make.encoded(image.quantize(20), "GIF"),
        "bmp": make.encoded(image, "BMP"),
        "webp": make.encoded(image, "WEBP"),
        "raw": make.encoded(image, "TIFF"),
        "lzw": make.encoded(image, "TIFF", compression="tiff_lzw"),
        "deflate": make.encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "packbits": make.encoded(image, "TIFF", compression="packbits"),
        "fax": make.encoded(image.convert("1"), "TIFF", compression="group4"),
        "jpeg in tiff": make.encoded(image, "TIFF", compression="jpeg"),
        "float": make.tiff(make.page(np.asarray(image).astype(np.float32), photometric=2)),
        "two pages": make.tiff(*[make.page(np.asarray(image), photometric=2)] * 2, big=True),
    }
    chance = random.Random(7)
    for kind, data in files.items():
        for number in range(40):
            damaged = bytearray(data)
            for _ in range(chance.choice([1, 1, 4, 20])):
                reach = len(data) if chance.random() < 0.5 else min(len(data), 120)
                damaged[chance.randrange(reach)] = chance.randrange(256)
            if chance.random() < 0.2:
                del damaged[chance.randrange(len(damaged)) :]
            (tmp_path / f"{kind} {number}.bin").write_bytes(damaged)
    readings = read_all(tmp_path)
    check(readings)
    assert len(readings) == 40 * len(files)
    assert sum(1 for reading in readings if reading.error) > 100
