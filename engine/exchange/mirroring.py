"""The thread that keeps the mirror of an open project up to date: a while after each commit, not in its way.

Many edits in a row are one pass. What the disk refuses is tried again. Knows the project and its passes; no
window.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from engine.errors import MaskwrightError
from engine.exchange.mirror import MirrorKind, Outcome, Pass, choose_mirror, mirror_kind
from engine.project import Project

_log = logging.getLogger(__name__)

PAUSE_S, RETRY_S = 1.0, 15.0
_SHARE = 5
"""A pass that takes long is made more rarely: its pause is that many times as long as itself."""


class Mirroring:
    """One project's mirror. `told` hears, on the thread, of each pass that did something or could not."""

    def __init__(self, project: Project, told: Callable[[Outcome], None]) -> None:
        self._project, self._told = project, told
        self._wake, self._stop = threading.Event(), threading.Event()
        self._overwrite: frozenset[str] = frozenset()
        self._last = Outcome()
        self._is_last = False
        self._thread = threading.Thread(target=self._loop, name="mirror", daemon=True)
        project.on_commit(self._wake.set)
        self._wake.set()
        self._thread.start()

    def choose(self, kind: MirrorKind) -> None:
        """Keep such files from now on. May wait for the project's writer: not for the GUI thread."""
        choose_mirror(self._project, kind)
        self._last = Outcome()
        self._wake.set()

    def overwrite(self, paths: frozenset[str]) -> None:
        """Replace these files by the project's labels, whoever wrote them; once."""
        self._overwrite = paths
        self._wake.set()

    def stop(self) -> None:
        """End soon, without waiting: a pass that is under way stops after a file."""
        self._project.on_commit(lambda: None)
        self._stop.set()
        self._wake.set()

    def close(self) -> None:
        """End, and wait for it; edits of the last moment are still written."""
        self._is_last = True
        self.stop()
        self._thread.join()

    def _loop(self) -> None:
        pause = 0.0
        while True:
            self._wake.wait(RETRY_S if self._last.problem else None)
            if self._stop.wait(pause):
                break
            self._wake.clear()
            if self._stop.is_set():  # between the two lines above, its call to wake was cleared too
                break
            began = time.monotonic()
            self._one(self._stop.is_set)
            pause = max(PAUSE_S, _SHARE * (time.monotonic() - began))
        if self._is_last:
            self._one(lambda: False)

    def _one(self, is_stopped: Callable[[], bool]) -> None:
        overwrite, self._overwrite = self._overwrite, frozenset()
        try:
            if mirror_kind(self._project) is MirrorKind.OFF:
                return
            outcome = Pass(self._project, overwrite, is_stopped).run()
        except MaskwrightError as error:
            outcome = Outcome(problem=str(error))
        except Exception as error:  # the edge of a job  # noqa: BLE001
            _log.exception("the mirror failed")
            outcome = Outcome(problem=f"The labels beside the pictures are not up to date: {error}.")
        if self._stop.is_set():
            return
        did = outcome.written or outcome.removed or outcome.sentence or self._last.sentence
        if did and outcome != self._last:
            self._told(outcome)
        self._last = outcome
