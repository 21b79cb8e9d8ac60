"""Fetching one file over http(s): with progress, resumed where it stopped, verified, put in place whole.

Knows nothing of models. The unfinished file is `NAME.part`; beside it `NAME.part.json` remembers
which remote file it is a part of (RFC 9110, sections 13.1.5 and 14).
"""

from __future__ import annotations

import contextlib
import email.message
import http.client
import json
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import ModelError
from engine.models.card import sha256_of

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, bytes in all or None where the server does not say)."""

_CHUNK = 1 << 18
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_WAIT = 30.0
_CONNECTION_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
)


class DownloadCanceledError(ModelError):
    """A person stopped the download; what was fetched is kept."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to bear with a server. attempts: tries in a row that bring no new byte."""

    timeout: float = 30.0  # seconds without a byte
    attempts: int = 4
    backoff: float = 1.0  # seconds before the second try; doubles


PATIENT = Patience()


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str,
    progress: Progress = lambda _done, _total: None,
    canceled: Callable[[], bool] = lambda: False,
    patience: Patience = PATIENT,
) -> str:
    """Fetch `url` into the file `target`, unless it is there already; returns its full SHA-256, hex.

    sha256: the expected hash, or its first digits. `target` appears only when the whole file has
    been verified. Raises ModelError (the server refuses, the file is not the expected one, the disk
    is full) and DownloadCanceledError.
    """
    _check_url(url)
    try:
        if target.is_file() and (digest := sha256_of(target)).startswith(sha256):
            return digest
        target.parent.mkdir(parents=True, exist_ok=True)
        transfer = _Transfer(url, target, progress, canceled, patience)
        resumed = transfer.run()
        digest = sha256_of(transfer.part)
        if not digest.startswith(sha256) and resumed:
            # The server may have put together two different files: once more, from the start.
            transfer.forget()
            transfer.run()
            digest = sha256_of(transfer.part)
        if not digest.startswith(sha256):
            transfer.forget()
            raise ModelError(
                f"{url} is not the file that was expected (its SHA-256 begins with {digest[:8]}, not "
                f"{sha256[:8]}): it was damaged or changed on the way; try again, or use another mirror."
            )
        transfer.finish()
    except OSError as e:
        raise ModelError(f"{target} cannot be written: {e.strerror or e}.") from e
    return digest


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelError(f"'{url}' is not an http or https address.")


def check_secure(asked: str, final: str) -> None:
    """Raise ModelError where redirects lead from https to something weaker."""
    if urlsplit(asked).scheme == "https" and urlsplit(final).scheme != "https":
        raise ModelError(f"{asked} leads to an address without encryption ({final}); refused.")


def _opener() -> urllib.request.OpenerDirector:
    """urllib with http and https alone: its default opener also follows file:, ftp: and data:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPRedirectHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _DroppedError(Exception):
    """The connection ended early or the server asked for patience; worth another try."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _Transfer:
    """One file on its way: the part on disk, what it is a part of, and the tries to complete it."""

    def __init__(
        self, url: str, target: Path, progress: Progress, canceled: Callable[[], bool], patience: Patience
    ) -> None:
        self.url = url
        self.target = target
        self.part = target.with_name(target.name + ".part")
        self._origin = target.with_name(target.name + ".part.json")
        self._progress = progress
        self._canceled = canceled
        self._patience = patience
        self._opener = _opener()

    def run(self) -> bool:
        """Complete the part; True where some of it stems from an earlier response."""
        failures, resumed = 0, False
        while True:
            before = self._have()
            try:
                resumed |= self._attempt(before)
            except _DroppedError as e:
                failures = 1 if self._have() > before else failures + 1
                if failures >= self._patience.attempts:
                    raise ModelError(
                        f"{self.url} could not be fetched ({e}); what has arrived is kept: try again later, "
                        "or give a folder or mirror that holds the file."
                    ) from e
                pause = self._patience.backoff * 2 ** (failures - 1) if e.wait is None else e.wait
                self._pause(min(pause, _MAX_WAIT))
            else:
                return resumed

    def finish(self) -> None:
        """Make the verified part the file itself."""
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(self.target)
        self._origin.unlink(missing_ok=True)

    def forget(self) -> None:
        """Drop what was fetched."""
        self.part.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _attempt(self, offset: int) -> bool:
        """One request, written to its end; True where it continued the part. Raises _DroppedError."""
        self._check_canceled()
        request = urllib.request.Request(self.url, headers={"Accept-Encoding": "identity"})
        validator = self._validator() if offset else None
        if validator is not None:
            request.add_header("Range", f"bytes={offset}-")
            request.add_header("If-Range", validator)
        try:
            response: http.client.HTTPResponse
            with self._opener.open(request, timeout=self._patience.timeout) as response:
                check_secure(self.url, response.url)
                start, total = _extent(response.status, response.headers, offset)
                if start == 0:
                    self._remember(response.headers)
                self._receive(response, start, total)
                return start > 0
        except urllib.error.HTTPError as e:
            with e:
                self._refused(e, offset)
        except _CONNECTION_ERRORS as e:
            raise _DroppedError(str(getattr(e, "reason", e)) or type(e).__name__) from e
        return True  # the server had nothing to add to the part

    def _receive(self, response: http.client.HTTPResponse, start: int, total: int | None) -> None:
        done = start
        self._check_space((total or start) - start)
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            self._progress(done, total)
            # read1 returns what has arrived, so that a slow server does not put off a cancel.
            while done != total and (chunk := response.read1(_CHUNK)):
                file.write(chunk)
                done += len(chunk)
                self._progress(done, total)
                self._check_canceled()
        if total is not None and done < total:
            raise _DroppedError(f"the connection ended after {done} of {total} bytes")

    def _refused(self, error: urllib.error.HTTPError, offset: int) -> None:
        """Judge an error status: returns where the part is complete already, raises otherwise."""
        if error.code == 416 and offset:
            if error.headers.get("Content-Range", "") == f"bytes */{offset}":
                return
            self.forget()
            raise _DroppedError("the server has another file than before", wait=0.0) from error
        if error.code in _PASSING:
            raise _DroppedError(
                f"the server answers {error.code}", wait=_retry_after(error.headers)
            ) from error
        raise ModelError(
            f"{self.url} cannot be fetched: the server answers {error.code} {error.reason}."
        ) from error

    def _validator(self) -> str | None:
        """What proves to the server that the part belongs to the file it has now."""
        try:
            origin = json.loads(self._origin.read_text(encoding="utf-8"))
            if isinstance(origin, dict) and origin.get("url") == self.url:
                validator = origin.get("validator")
                return validator if isinstance(validator, str) and validator else None
        except (OSError, ValueError):
            pass  # nothing is known of the part: it is fetched from the start
        return None

    def _remember(self, headers: email.message.Message) -> None:
        etag = headers.get("ETag", "")
        strong = etag if etag.startswith('"') else ""  # a weak one does not promise the same bytes
        origin = {"url": self.url, "validator": strong or headers.get("Last-Modified", "")}
        # The old part goes first: it must never be taken for a part of the new file.
        self.part.unlink(missing_ok=True)
        self._origin.write_text(json.dumps(origin), encoding="utf-8")

    def _check_space(self, needed: int) -> None:
        free = shutil.disk_usage(self.target.parent).free
        if needed > free:
            raise ModelError(
                f"{self.url} needs {needed / 2**20:.0f} MiB but {self.target.parent} has "
                f"{free / 2**20:.0f} MiB left: free some space."
            )

    def _check_canceled(self) -> None:
        if self._canceled():
            raise DownloadCanceledError(
                f"The download of {self.target.name} was cancelled; the next one goes on where it stopped."
            )

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._check_canceled()
            time.sleep(min(left, 0.1))


def _extent(status: int, headers: email.message.Message, offset: int) -> tuple[int, int | None]:
    """Where the response's first byte belongs, and the whole file's length if told."""
    if status == 206:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", ""))
        if found is None or int(found[1]) != offset:
            raise _DroppedError("the server sends another range than was asked for")
        return offset, None if found[3] == "*" else int(found[3])
    length = headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _retry_after(headers: email.message.Message) -> float | None:
    with contextlib.suppress(ValueError):
        return max(0.0, float(headers.get("Retry-After", "")))
    return None
