"""Several processes that train one network together, started by torchrun: `torchrun -m engine.train ORDER`.

The pictures of a step are dealt out to the processes and the gradients averaged, so that a step sees what
it would see in one process. The first process alone decides, measures, saves and speaks.

What is equal to one process and what is not: pictures, their augmentation, the learning rate and the number
of steps are. A gradient is the average of the pictures' only where each loss counts as many anchors, RoIs
and mask RoIs on one process as on another: torchvision divides by their number over all pictures that it is
given. Which of them are drawn at random differs, and live BatchNorm sees only its own process's pictures.
Every process ends each step with the same weights.

Gradients are averaged here in one flat tensor rather than by DistributedDataParallel, which hooks into the
forward call of one module: the losses are computed by functions over the network's parts
(`engine.train.losses`), and a loss that is not finite must be known to all before anyone steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from engine.device import DeviceChoice, choose_device
from engine.errors import TrainingError

PATIENCE = timedelta(days=1)
"""Others wait while the first measures or saves. A process that died is noticed at once all the same."""


@dataclass(frozen=True, slots=True)
class Team:
    """This process: number `rank` of `size` that train together, `neighbours` of them on its machine."""

    rank: int = 0
    size: int = 1
    neighbours: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - it is frozen too

    @property
    def is_first(self) -> bool:
        """Whether this process decides, measures, saves and speaks."""
        return self.rank == 0

    def own(self, count: int) -> range:
        """Which of `count` pictures of a step are this process's."""
        return range(self.rank, count, self.size)

    def share(self, *numbers: float) -> tuple[float, ...]:
        """The first process's numbers, on every process. Raises TrainingError when another has ended."""
        if self.size == 1:
            return numbers
        held = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        with _told_when_another_ends():
            dist.broadcast(held, src=0)
        return tuple(held.tolist())

    def align(self, tensors: Sequence[Tensor]) -> None:
        """Give every process the first one's values, in place."""
        self._together(tensors, lambda flat: dist.broadcast(flat, src=0))

    def average(self, tensors: Sequence[Tensor], weight: float) -> None:
        """Replace tensors by their sums over the processes, each times its weight, in place.

        A value that is not finite on one process is so on all afterwards.
        """
        self._together(tensors, lambda flat: dist.all_reduce(flat.mul_(weight)))

    @torch.no_grad()
    def _together(self, tensors: Sequence[Tensor], collective: Callable[[Tensor], object]) -> None:
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with _told_when_another_ends():
            collective(flat)
        for tensor, part in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))


ALONE = Team()


def is_first_process() -> bool:
    """Whether this is the only process or torchrun's first, before they have joined."""
    return "LOCAL_RANK" not in os.environ or os.environ.get("RANK") == "0"


@contextmanager
def joined(wanted: str) -> Iterator[tuple[Team, DeviceChoice]]:
    """The processes that torchrun started, or this one alone; with the device that `wanted` stands for.

    Raises DeviceError or TrainingError where there is none for this process.
    """
    size = int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1
    if size == 1:
        choice = choose_device(wanted)
        yield Team(device=torch.device(choice.name)), choice
        return
    place = int(os.environ["LOCAL_RANK"])
    if place < torch.cuda.device_count():
        torch.cuda.set_device(place)
    choice = choose_device(wanted)
    if choice.name == "cuda":
        if place >= torch.cuda.device_count():
            raise TrainingError(
                f"There are {torch.cuda.device_count()} GPUs here, too few for so many processes: start "
                "fewer, or train on the CPU."
            )
        choice = DeviceChoice(f"cuda:{place}", choice.reason)
    neighbours = int(os.environ.get("LOCAL_WORLD_SIZE", size))
    team = Team(int(os.environ["RANK"]), size, neighbours, torch.device(choice.name))
    with _told_when_another_ends():
        dist.init_process_group("nccl" if team.device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield team, choice
    finally:
        dist.destroy_process_group()


@contextmanager
def _told_when_another_ends() -> Iterator[None]:
    try:
        yield
    except RuntimeError as e:
        raise TrainingError(
            "The processes that train together lost each other; the message of the one that ended first "
            "says why."
        ) from e
