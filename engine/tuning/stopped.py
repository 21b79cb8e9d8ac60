"""Fine-tunings that were stopped or cut off and can go on: a small note beside each restart file.

No torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import TrainingError
from engine.files import replacing
from engine.train.order import TrainOrder

UNFINISHED = "training"
"""The folder in the model store where `engine.train` leaves what is not done."""

REPORTS = "reports"
"""The folder in the model store with the comparison of each version."""

_NOTE, _RESTART, _DATA = ".tune", ".restart", ".data"


@dataclass(frozen=True, slots=True)
class StoppedRun:
    """An order that can be given again with `resume`, and the step after which it goes on."""

    order: TrainOrder
    step: int

    @property
    def name(self) -> str:
        """Of the version that it makes."""
        assert self.order.name is not None
        return self.order.name


def note(root: Path, order: TrainOrder, step: int = 0) -> None:
    """Set down an order that is being carried out. root: the model store's folder. Raises TrainingError."""
    file = root / UNFINISHED / f"{order.name}{_NOTE}"
    try:
        with replacing(file) as part:
            text = json.dumps({"order": json.loads(order.to_json()), "step": step})
            part.write_text(text, encoding="utf-8")
    except OSError as e:
        raise TrainingError(
            f"The fine-tuning cannot be noted in {file} ({e.strerror or e}): make room or mend the folder."
        ) from e


def stopped_run(root: Path, folder: Path) -> StoppedRun | None:
    """The run of this project that was stopped last and left a restart file."""
    found = [run for run in _runs(root) if _same(run.order.data, folder)]
    return max(found, key=lambda run: _changed(root, run), default=None)


def needing(root: Path, name: str) -> StoppedRun | None:
    """A stopped run, of whichever project, that begins from that model or is to beat it."""
    return next((run for run in _runs(root) if name in (run.order.base, run.order.against)), None)


def forget(root: Path, name: str) -> None:
    """Remove what is left of a run that is finished, or that will not go on."""
    for suffix in (_NOTE, _RESTART, _DATA):
        with suppress(OSError):
            (root / UNFINISHED / f"{name}{suffix}").unlink(missing_ok=True)


def tidy(root: Path, name: str) -> None:
    """Forget a run that ended, unless it left a restart file to go on from."""
    if not (root / UNFINISHED / f"{name}{_RESTART}").is_file():
        forget(root, name)


def _runs(root: Path) -> Iterator[StoppedRun]:
    for file in (root / UNFINISHED).glob(f"*{_NOTE}"):
        if not file.with_suffix(_RESTART).is_file():
            continue
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            order = TrainOrder.from_json(json.dumps(content["order"]))
            yield StoppedRun(replace(order, resume=True), int(content["step"]))
        except (OSError, ValueError, KeyError, TypeError, TrainingError):
            continue  # cut off, or of another version: nothing that can go on


def _changed(root: Path, run: StoppedRun) -> float:
    with suppress(OSError):
        return (root / UNFINISHED / f"{run.name}{_RESTART}").stat().st_mtime
    return 0.0


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
