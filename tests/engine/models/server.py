"""A web server on the loopback interface that serves one file and misbehaves when told to."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass
class Behaviour:
    """What the server does. The lists are used up from the front, one entry a request."""

    content: bytes = b""
    etag: str = '"one"'
    last_modified: str = ""
    ranges: bool = True
    trust_if_range: bool = False  # answer a range whatever If-Range says
    chunked: bool = False
    statuses: list[int] = field(default_factory=list)  # instead of the file; 0 for the file
    drops: list[int | None] = field(default_factory=list)  # bytes of the body before the line is cut
    redirect: str = ""
    silent: float = 0.0  # seconds before any answer


@dataclass(frozen=True)
class Asked:
    """A request as it came, and what was sent for it."""

    path: str
    range: str | None
    if_range: str | None
    sent: int


class FileServer:
    """Runs in a thread while its context lasts."""

    def __init__(self) -> None:
        self.does = Behaviour()
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        does, wanted, if_range = self.does, to.headers.get("Range"), to.headers.get("If-Range")
        if does.silent:
            time.sleep(does.silent)
        status = does.statuses.pop(0) if does.statuses else 0
        if status or (does.redirect and to.path != "/moved"):
            self.asked.append(Asked(to.path, wanted, if_range, 0))
        if does.redirect and to.path != "/moved":
            self._head(to, 302, {"Location": does.redirect, "Content-Length": "0"})
        elif status:
            self._head(to, status, {"Content-Length": "0", "Retry-After": "0"})
        else:
            self._send_file(to, wanted, if_range)

    def _send_file(self, to: BaseHTTPRequestHandler, wanted: str | None, if_range: str | None) -> None:
        does = self.does
        start, size = 0, len(does.content)
        same = does.trust_if_range or if_range in (None, does.etag, does.last_modified)
        if does.ranges and wanted and same:
            found = re.fullmatch(r"bytes=(\d+)-", wanted)
            assert found is not None
            start = int(found[1])
        if start >= size > 0:
            self.asked.append(Asked(to.path, wanted, if_range, 0))
            self._head(to, 416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
            return
        body = does.content[start:]
        headers = {"ETag": does.etag, "Last-Modified": does.last_modified}
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        headers |= {"Transfer-Encoding": "chunked"} if does.chunked else {"Content-Length": str(len(body))}
        cut = does.drops.pop(0) if does.drops else None
        sent = body if cut is None else body[:cut]
        self.asked.append(Asked(to.path, wanted, if_range, len(sent)))
        with contextlib.suppress(ConnectionError):  # the client may have hung up
            self._head(to, 206 if start else 200, {k: v for k, v in headers.items() if v})
            if does.chunked:
                sent = b"%x\r\n%s\r\n" % (len(sent), sent) + (b"0\r\n\r\n" if cut is None else b"")
            to.wfile.write(sent)
            if cut is not None:
                to.wfile.flush()
                to.connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _head(to: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        to.send_response(status)
        for key, value in headers.items():
            to.send_header(key, value)
        to.end_headers()
