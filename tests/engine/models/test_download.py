"""Fetching a file from a server that behaves, and from servers that do not."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.errors import ModelError
from engine.models.download import DownloadCanceledError, Patience, check_secure, fetch

from .server import FileServer

CONTENT = random.Random(0).randbytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HASTY = Patience(timeout=5, attempts=3, backoff=0.0)


def get(server: FileServer, target: Path, *, sha256: str = SHA256[:8], patience: Patience = HASTY) -> str:
    return fetch(f"{server.url}/file.bin", target, sha256=sha256, patience=patience)


def cut_after(server: FileServer, target: Path, size: int) -> None:
    """A first fetch that a person stops after `size` bytes."""
    server.does.drops = [size]
    stop = threading.Event()

    def progress(done: int, _total: int | None) -> None:
        if done == size:
            stop.set()

    with pytest.raises(DownloadCanceledError, match="cancelled"):
        fetch(
            f"{server.url}/file.bin",
            target,
            sha256=SHA256,
            progress=progress,
            canceled=stop.is_set,
            patience=HASTY,
        )
    server.asked.clear()


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "fetched" / "file.bin"


@pytest.fixture(autouse=True)
def _served(server: FileServer) -> None:
    server.does.content = CONTENT


def test_that_a_file_arrives_whole_with_progress_and_leaves_no_part(server: FileServer, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    digest = fetch(f"{server.url}/file.bin", target, sha256=SHA256, progress=lambda *s: seen.append(s))
    assert (digest, target.read_bytes(), names_in(target.parent)) == (SHA256, CONTENT, ["file.bin"])
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


def test_that_a_file_that_is_there_is_not_fetched_again(server: FileServer, target: Path) -> None:
    get(server, target)
    server.asked.clear()
    assert get(server, target) == SHA256
    assert server.asked == []


def test_that_a_wrong_file_in_its_place_is_replaced(server: FileServer, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"something else")
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_that_a_dropped_connection_goes_on_where_it_stopped(server: FileServer, target: Path) -> None:
    server.does.drops = [300_000, 1, 200_000, 0]
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert [a.range for a in server.asked] == [
        None,
        "bytes=300000-",
        "bytes=300001-",
        "bytes=500001-",
        "bytes=500001-",
    ]
    assert {a.if_range for a in server.asked[1:]} == {'"one"'}
    assert sum(a.sent for a in server.asked) == len(CONTENT)


def test_that_a_later_run_goes_on_where_an_earlier_one_was_cancelled(
    server: FileServer, target: Path
) -> None:
    cut_after(server, target, 400_000)
    assert not target.exists()
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert [(a.range, a.sent) for a in server.asked] == [("bytes=400000-", 600_000)]


def test_that_a_server_that_ignores_ranges_is_read_from_the_start(server: FileServer, target: Path) -> None:
    cut_after(server, target, 400_000)
    server.does.ranges = False
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_that_a_file_that_changed_in_between_is_read_from_the_start(server: FileServer, target: Path) -> None:
    server.does.content = b"old" * 300_000
    cut_after(server, target, 400_000)
    server.does.content, server.does.etag = CONTENT, '"two"'
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert [(a.if_range, a.sent) for a in server.asked] == [('"one"', len(CONTENT))]


def test_that_last_modified_stands_in_for_a_missing_or_weak_etag(server: FileServer, target: Path) -> None:
    server.does.etag, server.does.last_modified = 'W/"weak"', "Tue, 15 Nov 1994 12:45:26 GMT"
    cut_after(server, target, 400_000)
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.asked[0].if_range == server.does.last_modified


def test_that_a_part_of_which_nothing_is_known_is_read_from_the_start(
    server: FileServer, target: Path
) -> None:
    server.does.etag = ""
    cut_after(server, target, 400_000)
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.asked[0].range is None


def test_that_a_part_from_another_address_is_not_continued(server: FileServer, target: Path) -> None:
    cut_after(server, target, 400_000)
    fetch(f"{server.url}/other.bin", target, sha256=SHA256, patience=HASTY)
    assert server.asked[0].range is None


def test_that_a_stop_before_the_first_byte_of_a_new_file_drops_the_old_part(
    server: FileServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.does.content = b"old" * 300_000
    cut_after(server, target, 400_000)
    server.does.content, server.does.etag = CONTENT, '"two"'

    def stopped(_path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "disk_usage", stopped)
    with pytest.raises(KeyboardInterrupt):
        get(server, target)
    assert not target.with_name("file.bin.part").exists()


def test_that_a_mixture_of_two_files_is_fetched_once_more(server: FileServer, target: Path) -> None:
    server.does.content = b"old" * 300_000
    cut_after(server, target, 400_000)
    server.does.content, server.does.trust_if_range = CONTENT, True
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert [a.range for a in server.asked] == ["bytes=400000-", None]


def test_that_a_part_that_is_complete_only_has_to_be_verified(server: FileServer, target: Path) -> None:
    cut_after(server, target, 400_000)
    target.with_name("file.bin.part").write_bytes(CONTENT)
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert [a.sent for a in server.asked] == [0]


def test_that_a_part_longer_than_the_file_is_dropped(server: FileServer, target: Path) -> None:
    cut_after(server, target, 400_000)
    target.with_name("file.bin.part").write_bytes(CONTENT + b"more")
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_that_corrupt_bytes_are_refused_and_leave_nothing(server: FileServer, target: Path) -> None:
    server.does.content = CONTENT[:-1] + b"\0"
    with pytest.raises(ModelError, match="not the file that was expected"):
        get(server, target)
    assert names_in(target.parent) == []


@pytest.mark.parametrize("cut", [None, 1234])
def test_that_a_file_of_unknown_length_arrives(server: FileServer, target: Path, cut: int | None) -> None:
    server.does.chunked, server.does.drops = True, [cut]
    get(server, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_that_a_refusal_is_told_at_once(server: FileServer, target: Path, status: int) -> None:
    server.does.statuses = [status]
    with pytest.raises(ModelError, match=f"file.bin cannot be fetched: the server answers {status}"):
        get(server, target)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_that_a_passing_fault_is_waited_out(server: FileServer, target: Path, status: int) -> None:
    server.does.statuses = [status, status]
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_that_a_lasting_fault_ends_after_the_attempts_and_keeps_what_arrived(
    server: FileServer, target: Path
) -> None:
    cut_after(server, target, 400_000)
    server.does.statuses = [503] * 9
    with pytest.raises(ModelError, match=r"answers 503.*what has arrived is kept"):
        get(server, target)
    assert len(server.asked) == HASTY.attempts
    assert target.with_name("file.bin.part").stat().st_size == 400_000


def test_that_a_silent_server_is_not_waited_for_endlessly(server: FileServer, target: Path) -> None:
    server.does.silent = 0.4
    with pytest.raises(ModelError, match="timed out"):
        get(server, target, patience=Patience(timeout=0.05, attempts=2, backoff=0.0))


def test_that_nobody_listening_is_told(target: Path, server: FileServer) -> None:
    with FileServer() as gone:
        pass
    with pytest.raises(ModelError, match="could not be fetched"):
        get(gone, target)


def test_that_a_cancel_is_heard_while_waiting_for_the_next_try(server: FileServer, target: Path) -> None:
    server.does.statuses = [0]
    server.does.drops = [10]
    answers = iter([False] * 3)
    slow = Patience(timeout=5, attempts=3, backoff=600.0)
    with pytest.raises(DownloadCanceledError):
        fetch(f"{server.url}/f", target, sha256=SHA256, canceled=lambda: next(answers, True), patience=slow)


def test_that_a_redirect_is_followed_with_its_range(server: FileServer, target: Path) -> None:
    server.does.redirect = f"{server.url}/moved"
    server.does.drops = [500_000]
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert [(a.path, a.range) for a in server.asked if a.sent] == [
        ("/moved", None),
        ("/moved", "bytes=500000-"),
    ]


@pytest.mark.parametrize("leads_to", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:text/plain,x"])
def test_that_a_redirect_to_anything_but_http_is_refused(
    server: FileServer, target: Path, leads_to: str
) -> None:
    server.does.redirect = leads_to
    with pytest.raises(ModelError):
        get(server, target)
    assert not target.exists()


def test_that_encryption_is_never_given_up_on_the_way() -> None:
    check_secure("https://a/x", "https://b/x")
    check_secure("http://a/x", "https://b/x")
    with pytest.raises(ModelError, match="without encryption"):
        check_secure("https://a/x", "http://a/x")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/x", "host/x", "http:///x", ""])
def test_that_only_web_addresses_are_fetched(target: Path, url: str) -> None:
    with pytest.raises(ModelError, match="not an http or https address"):
        fetch(url, target, sha256=SHA256)


def test_that_a_full_disk_is_told_before_the_download(
    server: FileServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=5))
    with pytest.raises(ModelError, match="free some space"):
        get(server, target)


def test_that_a_folder_that_cannot_be_made_is_told(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be written"):
        get(server, tmp_path / "file" / "below")
