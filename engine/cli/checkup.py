"""What `doctor` looks at: each check returns findings and changes nothing but the caches.

A finding is a name, a value, and, where something is amiss, what to do about it. Libraries are
imported inside the checks, since one that cannot be imported is a finding and no failure.
"""

from __future__ import annotations

import importlib
import platform
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from engine import __version__
from engine.cli.system_libraries import install_hint, missing_libraries

_ROOT = Path(__file__).resolve().parents[2]
_REINSTALL = "run `python resources/packaging/setup_env.py` again"
_LITTLE_DISK = _LITTLE_MEMORY = 2 * 2**30

# The distributions that put a cv2 of their own over the headless one; two of them bring Qt 5.
_OTHER_OPENCV = ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")


class State(StrEnum):
    """How a finding stands."""

    OK = "ok"
    NOTE = "note"  # something is missing that most work can do without
    BROKEN = "broken"  # Maskwright does not work so


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `remedy` is empty where all is well."""

    section: str
    name: str
    value: str
    state: State = State.OK
    remedy: str = ""


def check_up() -> Iterator[Finding]:
    """Every finding in the order of the report; a check is made when its first finding is asked for."""
    yield from _versions()
    yield from _dependencies()
    yield from _opencv()
    yield from _device()
    yield from _machine()
    yield from _system_libraries()
    yield from _models()
    yield from _folders()


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "Maskwright", __version__)
    yield Finding("versions", "Python", platform.python_version())
    yield Finding("versions", "system", platform.platform())
    for name, distribution in (
        ("torch", "torch"),
        ("torchvision", "torchvision"),
        ("OpenCV", "opencv-python-headless"),
        ("NumPy", "numpy"),
        ("Qt", "PySide6-Essentials"),
    ):
        version = _version(distribution)
        if version:
            yield Finding("versions", name, version)
        elif name == "Qt":
            yield Finding("versions", name, "missing", State.NOTE, f"only the window needs it: {_REINSTALL}")
        else:
            yield Finding("versions", name, "missing", State.BROKEN, _REINSTALL)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _dependencies() -> Iterator[Finding]:
    """The packages that pyproject.toml asks for; a bundle has no such file and brings them all."""
    file = _ROOT / "pyproject.toml"
    if not file.is_file():
        return
    wanted = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"]
    names = dict.fromkeys(re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0] for line in wanted)
    missing = [name for name in names if not _version(name) and name != "PySide6-Essentials"]
    if missing:
        yield Finding("versions", "packages", f"missing: {', '.join(missing)}", State.BROKEN, _REINSTALL)
    else:
        yield Finding("versions", "packages", f"all {len(names)} are installed")


def _opencv() -> Iterator[Finding]:
    others = [name for name in _OTHER_OPENCV if _version(name)]
    if others:
        remedy = f"pip uninstall {' '.join(others)} opencv-python-headless, then {_REINSTALL}"
        value = f"{', '.join(others)} stands in the way of opencv-python-headless"
        yield Finding("versions", "other OpenCV", value, State.BROKEN, remedy)
    else:
        yield Finding("versions", "other OpenCV", "none, as it must be")
    for module in ("cv2", "torchvision"):
        try:
            importlib.import_module(module)
        except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: a torchvision of another torch
            first = str(error).splitlines()[0]
            yield Finding("versions", module, f"cannot be imported: {first}", State.BROKEN, _REINSTALL)


def _device() -> Iterator[Finding]:
    try:
        from engine import device
    except (ImportError, OSError) as error:
        first = str(error).splitlines()[0]
        yield Finding("device", "torch", f"cannot be imported: {first}", State.BROKEN, _REINSTALL)
        return
    choice = device.choose_device("auto")
    yield Finding("device", "used", choice.reason)
    threads = device.use_threads(window=False)
    with_window = device.thread_count(window=True)
    yield Finding("device", "threads", f"{threads} on the command line, {with_window} beside a window")
    yield Finding("device", "processor", f"{device.cpu_name()}, {device.cpu_capability()}")
    yield Finding("device", "number format", device.number_format(choice.name, afresh=True).reason)
    memory = device.memory(choice.name)
    enough = memory.available >= _LITTLE_MEMORY
    yield Finding(
        "device",
        "memory",
        f"{_gib(memory.available)} free of {_gib(memory.total)}",
        State.OK if enough else State.NOTE,
        "" if enough else "close other programs, or label with a smaller model",
    )
    if memory.gpu_total:
        yield Finding("device", "GPU memory", f"{_gib(memory.gpu_free)} free of {_gib(memory.gpu_total)}")


def _machine() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    enough = free >= _LITTLE_DISK
    state, remedy = (
        (State.OK, "") if enough else (State.NOTE, "free some space: models take 20 to 200 MB each")
    )
    yield Finding("device", "disk", f"{_gib(free)} free in the current folder", state, remedy)


def _system_libraries() -> Iterator[Finding]:
    missing = missing_libraries()
    if not missing:
        yield Finding("system", "Qt's libraries", "all are there")
        return
    names = ", ".join(library.name for library in missing)
    lost = "an X11 window" if all(library.for_display for library in missing) else "Qt"
    remedy = f"only {lost} needs them: {install_hint(missing)}"
    yield Finding("system", "Qt's libraries", f"missing: {names}", State.NOTE, remedy)


def _models() -> Iterator[Finding]:
    from engine.models.store import ModelState, default_store

    store = default_store()
    listed = store.list()
    yield Finding("models", "folder", str(store.root), *_writable(store.root))
    here = [m.name for m in listed if m.state in (ModelState.INSTALLED, ModelState.BUNDLED)]
    if here:
        yield Finding("models", "installed", ", ".join(here))
    else:
        remedy = "python main.py models list shows what can be downloaded"
        yield Finding("models", "installed", "none", State.NOTE, remedy)
    for model in listed:
        if model.state is ModelState.DAMAGED:
            remedy = f"python main.py models remove {model.name}"
            yield Finding("models", model.name, model.problem, State.NOTE, remedy)


def _folders() -> Iterator[Finding]:
    import platformdirs

    from engine import applog

    cache = Path(platformdirs.user_cache_dir("Maskwright", appauthor=False))
    for name, folder in (("log", applog.log_file().parent), ("cache", cache)):
        yield Finding("folders", name, str(folder), *_writable(folder))


def _writable(folder: Path) -> tuple[State, str]:
    """Whether files could be made in the folder, which need not exist yet: its state and the remedy."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            return State.OK, ""
    except OSError as error:
        return State.NOTE, f"cannot be written ({error.strerror or error}): give yourself the right to"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
