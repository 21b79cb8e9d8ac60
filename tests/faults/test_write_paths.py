"""Whatever is written may fail: the command says so in a sentence, and leaves nothing by half.

Each command runs in a fork under the fault library, whose place is the folder that the command writes to.
The disk fails once (EIO), is full from some change on (ENOSPC), or denies everything from there on (EACCES).
Linux with a C compiler only.
"""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.conftest import Figure
from tests.faults.conftest import Trials

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloading a library is Linux's way"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the fault library needs gcc"),
]

KINDS = {"fails once": 1, "disk full": 2, "denied": 5}
DISK = {"fails once": "fails once (EIO)", "disk full": "is full (ENOSPC)", "denied": "denies all (EACCES)"}
FORMATS = (
    "cityscapes", "class-png", "coco", "coco-panoptic", "cvat-images", "cvat-video", "davis", "isat",
    "label-png", "label-studio", "labelme", "mots-png", "mots-txt", "voc", "via-csv", "via-json",
    "x-anylabeling", "yolo-detect", "yolo-pose", "yolo-seg", "youtube-vis",
)  # fmt: skip

# What is run, and the folder whose changes fail; both below the trial's folder.
COMMANDS = {
    "label": ("label pictures --model toy --device cpu --again", "pictures/.maskwright"),
    "label --out": ("label pictures --model toy --device cpu --out out/labels.json", "out"),
    "label --overlays": ("label pictures --model toy --device cpu --again --overlays out", "out"),
    "measure": ("measure pictures --out out/rows.csv --images out/images.csv", "out"),
    "eval --report": ("eval pictures --model toy --device cpu --report out", "out"),
    "models export": ("models export toy --out out", "out"),
    "models import": ("models import toy.pth --name other --architecture maskrcnn_resnet18_slim_fpn"
                      " --classes bolt,nut,washer", "models"),
    "train": ("train pictures --val-fraction 0.4 --base toy --name taught --device cpu --iterations 2"
              " --side 64", "models"),
    "import": ("import other --images pictures", "pictures/.maskwright"),
    "class preset": ("tests.faults.doings:save_preset out", "out"),
    "backup": ("tests.faults.doings:back_up .", "out"),
    "settings": ("tests.faults.doings:change_settings out", "out"),
    "frames": ("tests.faults.doings:export_frames .", "out"),
    **{f"export {name}": (f"export pictures --format {name} --out out", "out") for name in FORMATS},
}  # fmt: skip

# Notes whose loss costs only time, such as how fast this machine is: the command goes on without a word.
EXPENDABLE = ("tuning-pace", ".log", "device", "pace.json", "settings.json")


def check(trials: Trials, command: str, kind: str, most: int) -> int:
    """Trials at changes evenly spread over a run without a fault; returns how many."""
    clean, whole = trials.without_fault(*COMMANDS[command])
    every = max(1, clean.changes // most)
    count = 0
    for at in range((every + 1) // 2, clean.changes + 1, every):
        count += 1
        answer, before, after = trials.run(*COMMANDS[command], at, KINDS[kind])
        told = f"{command}, {kind} at change {at} of {clean.changes}: {answer.said}"
        assert "Traceback" not in answer.said, told
        assert "should not" not in answer.said, told
        assert answer.status in (0, 1), told
        if "maskwright" not in COMMANDS[command][1]:  # what a database holds is checked by its own tests
            if answer.status == 0:
                assert lasting(after) >= lasting(whole), told
            else:
                assert "error: " in answer.said or "could not" in answer.said, told
            strange = {name for name in after if name not in before and name not in whole}
            # A card that waits beside its weights is taken up when the version is next read.
            strange -= {name.replace(".safetensors", ".json.new") for name in after}
            # Where a removal itself is refused, what was begun stays.
            assert kind != "disk full" or not strange, told
            for name in before.keys() & after.keys():
                assert after[name] == before[name] or kept_whole(name, after, whole), told
            assert before.keys() <= after.keys(), told
    return count


def lasting(found: dict[str, bytes]) -> set[str]:
    """The names of the files that a person keeps."""
    return {name for name in found if not any(part in name for part in EXPENDABLE)}


def kept_whole(name: str, after: dict[str, bytes], whole: dict[str, bytes]) -> bool:
    """Whether a file that a command replaces is the new one, as long as without a fault."""
    return any(part in name for part in EXPENDABLE) or len(after[name]) == len(whole[name])


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "train"])
def test_that_a_full_disk_is_told_and_leaves_nothing_by_half(trials: Trials, command: str) -> None:
    assert check(trials, command, "disk full", most=1) >= 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_that_a_failure_at_any_change_is_told(
    trials: Trials, command: str, kind: str, figure: Figure
) -> None:
    faults = check(trials, command, kind, most=12)
    figure(f"commands whose disk {DISK[kind]}: each told, nothing by half, pictures untouched", faults)
