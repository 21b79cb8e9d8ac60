"""The program under a failing disk, and the scene that each trial begins with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import pytest
import torch

import main
from engine import applog
from engine.models.version import save_version
from tests.engine.networks import card_of, lively_network, picture
from tests.faults.command_program import Answer, Order

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = "maskrcnn_resnet18_slim_fpn"
PICTURES = 5


@dataclass
class Trials:
    """The program under faults, and the state of the disk that each trial begins with."""

    program: subprocess.Popen[str]
    library: Path
    scene: Path
    trial: Path
    whole: dict[str, tuple[Answer, dict[str, bytes]]] = field(default_factory=dict)

    def without_fault(self, words: str, place: str) -> tuple[Answer, dict[str, bytes]]:
        """What the command comes to when the disk does its part; run once."""
        if words not in self.whole:
            answer, _, after = self.run(words, place)
            assert answer.status == 0, answer.said
            assert answer.changes, "a fault needs something to meet"
            self.whole[words] = answer, after
        return self.whole[words]

    def run(
        self, words: str, place: str, at: int = 0, kind: int = 0
    ) -> tuple[Answer, dict[str, bytes], dict[str, bytes]]:
        """A command on a fresh copy of the scene: how it ended, its place's files before and after."""
        shutil.rmtree(self.trial, ignore_errors=True)
        shutil.copytree(self.scene, self.trial)
        before = files(self.trial / place)
        answer = self.again(words, place, at, kind)
        return answer, before, files(self.trial / place)

    def again(self, words: str, place: str, at: int = 0, kind: int = 0) -> Answer:
        """A command on what the last one left; no picture of it is changed by that."""
        pictures = files(self.trial / "pictures", "*.png")
        order = Order(
            tuple(words.split()), str(self.library), str(self.trial), str(self.trial / place), at, kind
        )
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(order.line())
        self.program.stdin.flush()
        answer = Answer(**json.loads(self.program.stdout.readline()))
        assert files(self.trial / "pictures", "*.png") == pictures, "a picture was written"
        return answer


def files(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """The content of every file below a folder whose name fits, by its name in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob(pattern)) if path.is_file()
    }  # fmt: skip


def coco(category: str, count: int) -> str:
    """A square on each of so many pictures, as COCO JSON."""
    return json.dumps({
        "images": [{"id": n, "file_name": f"{n}.png", "width": 96, "height": 64} for n in range(count)],
        "categories": [{"id": 1, "name": category}],
        "annotations": [
            {"id": n + 1, "image_id": n, "category_id": 1, "bbox": [40, 20, 20, 20], "area": 400,
             "iscrowd": 0, "segmentation": [[40, 20, 60, 20, 60, 40, 40, 40]]}
            for n in range(count)
        ],
    })  # fmt: skip


def make_scene(folder: Path) -> None:
    """Pictures with reviewed labels, a model, the same as a foreign file, other labels, an empty folder."""
    pictures = folder / "pictures"
    for path in (pictures, folder / "out", folder / "home", folder / "other"):
        path.mkdir(parents=True)
    for n in range(PICTURES):
        _, encoded = cv2.imencode(".png", picture(64, 96, n))
        (pictures / f"{n}.png").write_bytes(encoded.tobytes())
    truth = folder / "truth.json"
    truth.write_text(coco("bolt", 3), encoding="utf-8")
    (folder / "other" / "labels.json").write_text(coco("nut", 1), encoding="utf-8")
    assert main.main(["import", str(truth), "--images", str(pictures)]) == 0
    (pictures / ".maskwright" / "backups").mkdir(exist_ok=True)
    torch.manual_seed(0)
    network = lively_network(ARCHITECTURE, 64, 96)
    save_version(folder / "models", "toy", network, replace(card_of(network, ARCHITECTURE), name="toy"))
    torch.save({"model": network.state_dict()}, folder / "toy.pth")


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """The program with the fault library, compiled here."""
    place = tmp_path_factory.mktemp("faults")
    library, trial = place / "faults.so", place / "trial"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(applog, "configure", lambda **_: None)
        make_scene(place / "scene")
    homes = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    environment = {
        **os.environ, **{name: str(place / name) for name in homes}, "LD_PRELOAD": str(library),
        "MASKWRIGHT_MODELS": str(trial / "models"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT),
        "QT_QPA_PLATFORM": "offscreen", "MPLBACKEND": "Agg",
    }  # fmt: skip
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.command_program"],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with program:
        yield Trials(program, library, place / "scene", trial)
        assert program.stdin is not None
        program.stdin.close()
