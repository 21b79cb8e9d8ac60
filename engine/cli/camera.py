"""`camera --check`: whether a camera sends pictures."""

from __future__ import annotations

import time

from engine.errors import MediaError
from engine.media.live import Camera, Source, Stage

_LOOK_SECONDS = 2.0
_WAIT_SECONDS = 20.0


def check_camera(source: Source) -> int:
    """Look at a camera for two seconds and tell what it sends. Raises MediaError where that is nothing."""
    from engine.cli.console import say

    camera = Camera(source)
    try:
        began, frame = time.monotonic(), None
        while frame is None and time.monotonic() - began < _WAIT_SECONDS:
            frame = camera.take()
            if camera.status.stage is Stage.FAILED:
                raise MediaError(camera.status.sentence)
            time.sleep(0.02)
        if frame is None:
            raise MediaError(f"{source.name} sends no picture within {_WAIT_SECONDS:g} seconds.")
        time.sleep(_LOOK_SECONDS)
        height, width = frame.shape[:2]
        say(f"{source.name}: {width} x {height} pixels, {camera.status.rate:.1f} frames a second")
    finally:
        camera.close(1.0)
    return 0
