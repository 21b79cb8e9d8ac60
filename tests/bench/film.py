"""Large films: a 4K clip and one of an hour, made here, opened, sought in, stepped through and played.

`python -m tests.bench.film FOLDER` makes them in a folder where they are not there yet (two minutes) and
prints what each costs.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engine.media.film import write_film
from engine.media.picture import Rgb
from engine.media.playing import Ahead
from engine.media.video import KEPT_BYTES, VideoReader

PLAY_SECONDS = 4.0
NEAR = range(60, 90)
"""Frames that are stepped through, forward and then backward."""


def four_k() -> Iterator[tuple[float, Rgb]]:
    """150 frames of 3840 x 2160 at 30 a second, one key frame: the hardest to seek in."""
    base = np.random.default_rng(0).integers(0, 255, (135, 240, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    for number in range(150):
        frame = np.roll(base, number * 7, axis=1)
        frame[100:400, number * 20 : number * 20 + 300] = (255, 0, 0)
        yield number / 30, frame


def an_hour() -> Iterator[tuple[float, Rgb]]:
    """90,000 frames of 320 x 180 at 25 a second."""
    base = np.random.default_rng(1).integers(0, 255, (45, 80, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    for number in range(90_000):
        yield number / 25, np.roll(base, number % 320, axis=1)


def resident_mib() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 2**20


def milliseconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def measure(path: Path, seeks: int) -> None:
    """Print what a film costs."""
    before = resident_mib()
    opened: list[VideoReader] = []
    took = milliseconds(lambda: opened.append(VideoReader(path)))
    (reader,) = opened
    index = reader.index
    print(f"{path.name}: {index.count:,} frames of {index.width} x {index.height}, {len(index.keys)} keys")
    print(f"  table of frames {took:.0f} ms, +{resident_mib() - before:.0f} MiB")
    chance = random.Random(0)
    sought = sorted(milliseconds(lambda: reader.read(chance.randrange(index.count))) for _ in range(seeks))
    print(f"  {seeks} random seeks: median {sought[seeks // 2]:.0f} ms, worst {sought[-1]:.0f} ms")
    reader.read(NEAR.start - 1)
    on = [milliseconds(lambda n=n: reader.read(n)) for n in NEAR]  # type: ignore[misc]
    back = [milliseconds(lambda n=n: reader.read(n)) for n in reversed(NEAR)]  # type: ignore[misc]
    print(f"  a step on {np.mean(on):.1f} ms, back {np.mean(back):.1f} ms, worst {max(back):.0f} ms")
    ahead, shown, peak, began = Ahead(range(index.count), reader.read), 0, 0.0, time.perf_counter()
    while (seconds := time.perf_counter() - began) < PLAY_SECONDS and not ahead.is_over:
        shown += ahead.take(index.at(seconds)) is not None
        peak = max(peak, resident_mib())
        time.sleep(0.008)
    print(f"  playing at {index.rate:.0f}/s: {shown / seconds:.1f} frames/s shown, {ahead.dropped} dropped")
    print(f"  memory {peak:.0f} MiB at most; {KEPT_BYTES >> 20} MiB of frames may be kept")
    ahead.close()
    reader.close()


def main() -> None:
    """Make the films that are not there, then measure them."""
    folder = Path(sys.argv[1])
    for name, make, seeks in (("hour.mp4", an_hour, 40), ("4k.mp4", four_k, 12)):
        if not (folder / name).exists():
            write_film(folder / name, make())
        measure(folder / name, seeks)


if __name__ == "__main__":
    main()
