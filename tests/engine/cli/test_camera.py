"""`camera --check` and what is told before a window opens; a password is in no word."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli import camera as check
from engine.media import live
from main import main
from tests.engine.media.streams import loopback


def test_that_a_camera_is_checked_without_a_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_LOOK_SECONDS", 0.05)
    with loopback(tmp_path, password="me:geheim") as server:
        address = server.address.replace("//", "//me:geheim@")
        assert main(["camera", address, "--check"]) == 0
        told = "".join(capsys.readouterr())
        assert f"{server.address}: 64 x 48 pixels" in told
        assert "geheim" not in told


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("rtsp://me:geheim@127.0.0.1:9/x", "rtsp://127.0.0.1:9/x cannot be read (Connection refused)."),
        ("ftp://me:geheim@127.0.0.1/x", "begins with rtsp://"),
        ("no-such-film.mp4", "There is no camera 'no-such-film.mp4'"),
        ("main.py", "is no video by its name"),
    ],
)
def test_that_a_source_that_is_not_there_is_one_sentence(
    capsys: pytest.CaptureFixture[str], source: str, told: str
) -> None:
    assert main(["camera", source, "--check"]) == 1
    said = "".join(capsys.readouterr())
    assert told in said
    assert "geheim" not in said
    assert said.count("\n") == 1


def test_that_a_silent_camera_ends_after_its_time_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "OPEN_SECONDS", 0.2)
    with loopback(tmp_path, is_silent=True) as server:
        assert main(["camera", server.address, "--check"]) == 1
    assert "does not answer within 0.2 seconds" in capsys.readouterr().err
