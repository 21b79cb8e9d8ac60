"""The log file: what people attach to a report, and where tracebacks go instead of the screen.

Knows nothing of commands. Nothing is written, and no folder made, before the first message.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import logging
import sys
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

_logger = logging.getLogger(__name__)
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
# What a drive that was pulled, a share that is gone or a disk that fails answers.
_OUT_OF_REACH = frozenset({errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN})


class _SharedLog(RotatingFileHandler):
    """A rotating log that several Maskwright processes may write."""

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        # Windows cannot rename a file that another process holds open: then it grows on.
        with contextlib.suppress(OSError):
            super().doRollover()


def log_file() -> Path:
    """Where the log lies, whether or not it exists yet."""
    return Path(platformdirs.user_log_dir("Maskwright", appauthor=False)) / "maskwright.log"


def configure(*, verbose: bool) -> None:
    """Send log messages and Python warnings to the log file, and to standard error if `verbose`.

    A folder that cannot be written costs the log, never the run. Call it once a process.
    """
    logging.raiseExceptions = False  # a full disk must not print tracebacks between our lines
    logging.captureWarnings(True)
    handlers: list[logging.Handler] = []
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    path = log_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            _SharedLog(
                path,
                maxBytes=1_000_000,
                backupCount=3,
                encoding="utf-8",
                errors="backslashreplace",
                delay=True,
            )
        )
    logging.basicConfig(level=logging.INFO, format=_FORMAT, handlers=handlers or [logging.NullHandler()])
    logging.getLogger("engine").setLevel(logging.DEBUG if verbose else logging.INFO)


@contextlib.contextmanager
def crashes_told() -> Iterator[None]:
    """While it lasts, a crash in native code leaves its stack in `crash.log` beside the log.

    An exception cannot tell of such a crash: the process is gone. Nothing is kept where somebody else listens
    for it already, or where the folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        if not faulthandler.is_enabled():
            with contextlib.suppress(OSError):
                _leave_crashes_in(log_file().with_name("crash.log"), stack)
        yield


def _leave_crashes_in(path: Path, stack: contextlib.ExitStack) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.stat().st_size:
        _logger.warning("an earlier run crashed; its stack is in %s", path)
    faulthandler.enable(stack.enter_context(path.open("a", encoding="utf-8")))
    stack.callback(faulthandler.disable)


def out_of_reach(error: BaseException) -> str:
    """The sentence for a file whose drive cannot be reached, no fault of the program; empty for all else."""
    if not isinstance(error, OSError) or error.filename is None or error.errno not in _OUT_OF_REACH:
        return ""
    return (
        f"{error.filename} cannot be reached ({error.strerror}): see that its drive is there and try again."
    )


def record_fault(error: BaseException) -> str:
    """Write an unexpected error with its traceback to the log; returns the sentence to show."""
    if not logging.getLogger().handlers:  # it came before a command could be run
        configure(verbose=False)
    _logger.critical("unexpected error", exc_info=error)
    if sentence := out_of_reach(error):
        return sentence
    kind = f"{type(error).__name__}: {error}".splitlines()[0]
    path = log_file()
    where = f"the details are in {path}" if path.is_file() else "run it with --verbose to see the details"
    return f"Maskwright failed in a way it should not ({kind}); {where}."
