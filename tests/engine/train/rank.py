"""One process of a team for test_distributed.py: rank.py FOLDER POISONED_RANK, in torchrun's environment.

Takes the steps of a plan and writes what it holds afterwards to FOLDER/RANK.pt.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from engine.models.store import ModelStore
from engine.train.distributed import Team, joined
from engine.train.events import Stepped
from engine.train.loop import Run
from tests.engine.train.test_distributed import STEPS, poisoned, team_plan


def told(event: Stepped) -> float:
    """A step's loss but for that of prompts, whose clicks each process draws by itself."""
    return sum(value for name, value in event.losses.items() if name != "prompt")


def hold(folder: Path, team: Team, poisoned_rank: int) -> None:
    """Take the steps and write the weights, the statistics and the events."""
    run = Run(team_plan(folder), ModelStore(folder, bundled=folder), team)
    events = list[Stepped]()
    with pytest.MonkeyPatch.context() as patch:
        if team.rank == poisoned_rank:
            patch.setattr("engine.train.gradients.detection_losses", poisoned)
        while run.goes_on() and len(events) < STEPS:
            events.append(run.step())
    held = {
        "weights": {name: p.detach() for name, p in run.parameters.items()},
        "statistics": run.statistics,
        "average": run.average,
        "losses": [told(event) for event in events],
        "skipped": [event.skipped for event in events],
        "seconds": run.at.seconds,
    }
    torch.save(held, folder / f"{team.rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined("cpu") as (team, _):
        hold(Path(sys.argv[1]), team, int(sys.argv[2]))
