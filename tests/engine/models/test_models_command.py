"""`main.py models`, run as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.models.detection import FasterRCNN

import main
from engine.models.store import default_store

from .conftest import TINY
from .published import Published
from .server import FileServer

ROOT = Path(main.__file__).parent


@pytest.fixture(autouse=True)
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(folder))
    monkeypatch.delenv("MASKWRIGHT_MIRROR", raising=False)
    return folder


@pytest.fixture
def weights(tmp_path: Path, network: FasterRCNN) -> Path:
    torch.save(network.state_dict(), tmp_path / "cells.pth")
    return tmp_path / "cells.pth"


def test_that_a_model_is_imported_listed_and_removed(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["models", "import", str(weights), "--classes", "round, long", "--norm-eps", "0"]) == 0
    assert "imported cells: maskrcnn_tiny_test, 2 classes" in capsys.readouterr().out
    assert main.main(["models", "list", "--json"]) == 0
    listed = {m["name"]: m for m in json.loads(capsys.readouterr().out)}
    assert listed["cells"]["state"] == "installed"
    assert listed["cells"]["classes"] == ["round", "long"]
    assert listed["maskrcnn_resnet50_fpn"]["state"] == "available"
    assert main.main(["models", "remove", "cells"]) == 0
    assert capsys.readouterr().out == "removed cells\n"
    assert "cells" not in {m.name for m in default_store().list()}


def test_that_the_table_shows_every_name_whole(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["models", "import", str(weights), "--classes", "[red],b", "--name", "a-name-of-some-length"])
    capsys.readouterr()
    assert main.main(["models", "list"]) == 0
    table = capsys.readouterr().out
    assert "fasterrcnn_resnet50_fpn_v2" in table
    assert "a-name-of-some-length" in table
    assert "[red], b" in table


def test_that_a_damaged_model_is_listed_with_its_fault(
    weights: Path, store_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main.main(["models", "import", str(weights)])
    (store_folder / "cells.json").write_text("{}")
    capsys.readouterr()
    assert main.main(["models", "list"]) == 0
    shown = capsys.readouterr()
    assert "damaged" in shown.out
    assert "'schema' is missing" in shown.err


def test_that_a_download_shows_its_progress_on_the_error_stream(
    tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published = Published(tmp_path / "publisher", server, monkeypatch, TINY)
    assert main.main(["models", "download", TINY.architecture, "--from", f"{server.url}/x"]) == 0
    shown = capsys.readouterr()
    assert "installed maskrcnn_tiny_test" in shown.out
    assert "downloading maskrcnn_tiny_test: " in shown.err
    assert [a.path for a in server.asked] == [f"/x/{published.file.name}"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["download", "nothing"], "error: No model called 'nothing' can be downloaded"),
        (["remove", "nothing"], "error: No model called 'nothing' is installed"),
        (["import", "nothing.pth"], "error: There is no weights file at nothing.pth"),
        (
            ["download", "maskrcnn_resnet50_fpn", "--from", "no-such-folder"],
            "error: There is no no-such-folder",
        ),
    ],
)
def test_that_a_failure_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["models", *arguments]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(sentence)
    assert shown.err.count("\n") == 1


def test_that_listing_needs_no_torch() -> None:
    code = "import sys, main; main.main(['models', 'list']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_that_other_commands_obtain_a_model_with_progress_only_when_it_must_come(
    tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.cli.models import obtain

    Published(tmp_path / "publisher", server, monkeypatch, TINY)
    first = obtain(TINY.architecture)
    assert "downloading" in capsys.readouterr().err
    assert obtain(TINY.architecture) == first == obtain(str(first.path))
    assert capsys.readouterr().err == ""
