"""A camera on the network for the tests: a film sent over HTTP on this machine, at its own pace."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.engine.media import films

RATE = 50
FRAMES = 150


class Loopback:
    """Serves one film as MPEG-TS. `stop` ends it with its connections, `start` begins at the same port."""

    def __init__(self, film: Path, *, password: str = "", is_silent: bool = False) -> None:
        self._data, self._password, self._is_silent = film.read_bytes(), password, is_silent
        self.port = 0
        self.connections = 0
        self._going = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/camera.ts"

    def start(self) -> None:
        self._going.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def stop(self) -> None:
        if self._server is not None:
            self._going.clear()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = f"Basic {base64.b64encode(outer._password.encode()).decode()}"
                if outer._password and self.headers.get("Authorization") != wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                outer.connections += 1
                self.send_response(200)
                self.send_header("Content-Type", "video/mp2t")
                self.end_headers()
                with suppress(OSError):  # whoever looked has gone
                    outer._send(self.wfile.write)

            def log_message(self, *_words: object) -> None:
                pass

        return Handler

    def _send(self, write: object) -> None:
        assert callable(write)
        while self._is_silent and self._going.is_set():
            time.sleep(0.01)
        size = len(self._data) // FRAMES + 1
        began = time.monotonic()
        for number, start in enumerate(range(0, len(self._data), size)):
            if not self._going.is_set():
                return
            write(self._data[start : start + size])
            time.sleep(max(began + number / RATE - time.monotonic(), 0))


@contextmanager
def loopback(folder: Path, *, password: str = "", is_silent: bool = False) -> Iterator[Loopback]:
    """A camera that is there until the context ends."""
    film = films.write_film(
        folder / "camera.ts", FRAMES, codec="mpeg2video", rate=RATE, options={"g": "10", "bf": "0"}
    )
    made = Loopback(film, password=password, is_silent=is_silent)
    try:
        yield made
    finally:
        made.stop()
