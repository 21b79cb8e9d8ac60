"""Whether a window can open here; asked before Qt is imported, which would end the process instead.

Only the standard library is used.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys

from engine.cli.system_libraries import install_hint, missing_libraries
from engine.errors import MaskwrightError

_OTHERWISE = "or use the command line, such as `main.py label FOLDER` (`main.py --help` lists all)"
_NEEDS_NO_DISPLAY = ("offscreen", "minimal", "vnc", "eglfs", "linuxfb")


def check_display() -> None:
    """Raises MaskwrightError that says what to do where no window can open."""
    if importlib.util.find_spec("PySide6") is None:
        raise MaskwrightError(
            "The window needs PySide6, which is not installed: "
            f"run `python resources/packaging/setup_env.py`, {_OTHERWISE}."
        )
    if not sys.platform.startswith("linux"):
        return
    missing = missing_libraries()
    needs_display = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0] not in _NEEDS_NO_DISPLAY
    if not needs_display:
        missing = tuple(library for library in missing if not library.for_display)
    if missing:
        raise MaskwrightError(
            f"The window cannot open because {missing[0].name} is missing on this system: "
            f"{install_hint(missing)}; {_OTHERWISE}."
        )
    if needs_display and not os.environ.get("WAYLAND_DISPLAY") and not x_server_answers():
        named = os.environ.get("DISPLAY", "")
        raise MaskwrightError(
            ("There is no display for the window" if not named else f"The display {named} does not answer")
            + f": start Maskwright in a desktop session, {_OTHERWISE}."
        )


def x_server_answers() -> bool:
    """Whether the X server that DISPLAY names lets us in."""
    if not os.environ.get("DISPLAY"):
        return False
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return False
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not failed
