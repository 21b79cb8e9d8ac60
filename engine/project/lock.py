"""One writer a project, over processes: an operating-system lock on a small file.

The operating system drops the lock when its holder dies, however it dies. The file's text names
the holder and is emptied on a clean release: text found when the lock is taken means that the last
holder was killed. Knows nothing of databases. The only file that differs by platform.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # A locked byte cannot be read by others on Windows: lock one far behind the holder's name.
    _LOCKED_BYTE = 1 << 30

    def _try_lock(handle: int) -> bool:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        # flock, not lockf: it also tells two openings in one process apart.
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


class HeldError(Exception):
    """Somebody else holds the lock; the text says who."""


class FileLock:
    """A held lock. `left_open` is True where the last holder ended without releasing it."""

    def __init__(self, path: Path, handle: int, left_open: bool) -> None:
        self.path = path
        self.left_open = left_open
        self._handle: int | None = handle
        self._marked = False

    @classmethod
    def acquire(cls, path: Path) -> FileLock:
        """Take the lock or raise HeldError at once; OSError where the file cannot be opened or locked."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            held = _try_lock(handle)
            os.lseek(handle, 0, os.SEEK_SET)
            text = os.read(handle, 200).decode("utf-8", "replace").strip()
            if not held:
                raise HeldError(text or "another process")
            _rewrite(
                handle, f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%H:%M:%S')}"
            )
        except BaseException:
            os.close(handle)
            raise
        return cls(path, handle, left_open=bool(text))

    def keep_marked(self) -> None:
        """Have the next holder find `left_open`, even after a clean release."""
        self._marked = True

    def release(self) -> None:
        """Give the lock back; a second call does nothing. A failing disk leaves it marked as left open."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with contextlib.suppress(OSError):
            if not self._marked:
                _rewrite(handle, "")
            _unlock(handle)
        os.close(handle)


def _rewrite(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, text.encode("utf-8"))
