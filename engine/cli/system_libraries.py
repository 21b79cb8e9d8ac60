"""The system libraries that Qt needs on Linux and the packages that bring them.

Only the standard library is used: the set-up script asks here before anything is installed. On other
systems Qt brings all it needs.
"""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SystemLibrary:
    """A shared library, the package that holds it for apt and for dnf, and what is lost without it."""

    name: str
    apt: str
    dnf: str
    for_display: bool  # needed to open a window on X11; False: Qt does not load at all without it


# What the Qt libraries and the xcb platform plugin of PySide6-Essentials 6.11 link (readelf -d), less
# what every Linux with Python has. Libraries that come in one package stand here once.
LIBRARIES = (
    SystemLibrary("libEGL.so.1", "libegl1", "libglvnd-egl", False),
    SystemLibrary("libGL.so.1", "libgl1", "libglvnd-glx", False),
    SystemLibrary("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon", False),
    SystemLibrary("libdbus-1.so.3", "libdbus-1-3", "dbus-libs", False),
    SystemLibrary("libfontconfig.so.1", "libfontconfig1", "fontconfig", False),
    SystemLibrary("libfreetype.so.6", "libfreetype6", "freetype", False),
    SystemLibrary("libglib-2.0.so.0", "libglib2.0-0", "glib2", False),
    SystemLibrary("libX11.so.6", "libx11-6", "libX11", False),
    SystemLibrary("libX11-xcb.so.1", "libx11-xcb1", "libX11-xcb", True),
    SystemLibrary("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11", True),
    SystemLibrary("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor", True),
    SystemLibrary("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm", True),
    SystemLibrary("libxcb-image.so.0", "libxcb-image0", "xcb-util-image", True),
    SystemLibrary("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms", True),
    SystemLibrary("libxcb-render-util.so.0", "libxcb-render-util0", "xcb-util-renderutil", True),
    SystemLibrary("libxcb-glx.so.0", "libxcb-glx0", "libxcb", True),
    SystemLibrary("libxcb-randr.so.0", "libxcb-randr0", "libxcb", True),
    SystemLibrary("libxcb-shape.so.0", "libxcb-shape0", "libxcb", True),
    SystemLibrary("libxcb-sync.so.1", "libxcb-sync1", "libxcb", True),
    SystemLibrary("libxcb-xfixes.so.0", "libxcb-xfixes0", "libxcb", True),
    SystemLibrary("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb", True),
)


def loads(name: str) -> bool:
    """True if the system's loader finds the library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def missing_libraries(*, found: Callable[[str], bool] = loads) -> tuple[SystemLibrary, ...]:
    """Those of LIBRARIES that this machine lacks; none on other systems than Linux."""
    if not sys.platform.startswith("linux"):
        return ()
    return tuple(library for library in LIBRARIES if not found(library.name))


def install_hint(
    missing: Iterable[SystemLibrary], *, which: Callable[[str], str | None] = shutil.which
) -> str:
    """The command that installs the packages here; the packages by name where neither tool is found."""
    missing = tuple(missing)
    apt = " ".join(dict.fromkeys(library.apt for library in missing))
    dnf = " ".join(dict.fromkeys(library.dnf for library in missing))
    if which("apt-get"):
        return f"sudo apt-get install {apt}"
    if which("dnf"):
        return f"sudo dnf install {dnf}"
    return f"install {apt} (Debian, Ubuntu) or {dnf} (Fedora), or what your system calls them"
