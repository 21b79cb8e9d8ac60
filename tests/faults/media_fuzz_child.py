"""Mutates pictures and films and reads them: `python -m tests.faults.media_fuzz_child COUNT SEED`.

Each reading ends in pixels or in an error of the project's own that names the file, within SLOWEST seconds;
for anything else a line is printed. The same seed gives the same files.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import MediaError
from engine.media.film import write_film
from engine.media.image import read_rgb
from tests.engine.formats.fuzz_child import SLOWEST, mutated

SUFFIXES = (".png", ".jpg", ".webp", ".bmp", ".tif")


def samples(folder: Path) -> list[Path]:
    """A small picture of every kind, deep ones and stacks among them, and films in two containers."""
    coarse = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    rgb = coarse.repeat(8, axis=0).repeat(8, axis=1)
    deep = rgb[..., 0].astype(np.uint16) * 200
    for suffix in SUFFIXES:
        save(folder / f"plain{suffix}", rgb)
    save(folder / "deep.png", deep)
    save(folder / "deep.tif", deep)
    save(folder / "float.tif", deep.astype(np.float32))
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(rgb).save(folder / "turned.jpg", exif=turned)
    pages = [Image.fromarray(rgb + n) for n in range(3)]
    pages[0].save(folder / "stack.tif", save_all=True, append_images=pages[1:])
    pages[0].save(folder / "moving.gif", save_all=True, append_images=pages[1:])
    for suffix in (".mp4", ".mkv"):
        write_film(folder / f"film{suffix}", ((n / 10, np.roll(rgb, n, axis=1)) for n in range(12)))
    return sorted(folder.iterdir())


def save(file: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]) -> None:
    """Write what OpenCV writes."""
    _, encoded = cv2.imencode(file.suffix, pixels)
    file.write_bytes(encoded.tobytes())


def main(count: int, seed: int) -> int:
    """How many faults there were."""
    draw, faults, read = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        (own := Path(place) / "own").mkdir()
        own_files = samples(own)
        for file in own_files:
            read_rgb(file)
        for number in range(count):
            source = own_files[number % len(own_files)]
            victim = Path(place) / f"victim{number}{source.suffix}"
            victim.write_bytes(mutated(source.read_bytes(), draw))
            began = time.monotonic()
            try:
                for frame in (0, 2):
                    pixels = read_rgb(victim, frame)
                    assert pixels.ndim == 3
                    assert pixels.dtype == np.uint8
                    read += 1
            except MediaError as error:
                if victim.name not in str(error):
                    faults += 1
                    print(f"{number} {source.name}: no name in '{error}'", flush=True)
            except BaseException:  # noqa: BLE001 - that is what is looked for
                faults += 1
                print(f"{number} {source.name}: {traceback.format_exc()[-1500:]}", flush=True)
            if time.monotonic() - began > SLOWEST:
                faults += 1
                print(f"{number} {source.name} took {time.monotonic() - began:.1f} s", flush=True)
            victim.unlink()
    print(f"{count} files, {read} pictures read all the same, {faults} faults")
    return faults


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]), int(sys.argv[2])), 99))
