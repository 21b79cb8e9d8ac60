"""What a fine-tuning will learn from and how long it will take, as data and in a line of words."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TuneDescription:
    """What happens if it is started now.

    images: reviewed ones to learn from, of which `empty` hold nothing, as a person confirmed. instances:
    on them; classes: name and instances of each that is learnt. held_out: reviewed images kept to measure
    on; about as many, where some have not been assigned yet. left_out: reviewed images whose file is
    missing or was changed. unseen: proposals on reviewed images that nobody looked at; they take no part.

    base: what it starts from. against: the model in use, which the new one must beat. name: of the new
    version. device, side (short side in pixels), batch, iterations or minutes, frozen_stages (of the
    body): the choices, made from data and machine where the request leaves them open. seconds: expected,
    measuring included; measured: by what steps took on this machine before, else a guess.
    resumable: the step that a stopped run of this project goes on after. warnings: sentences.
    """

    images: int
    instances: int
    classes: tuple[tuple[str, int], ...]
    empty: int
    held_out: int
    left_out: int
    unseen: int
    base: str
    against: str
    name: str
    device: str
    side: int
    batch: int
    iterations: int | None
    minutes: float | None
    frozen_stages: int
    seconds: float
    measured: bool
    resumable: int | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def summary(self) -> str:
        """Such as: 37 reviewed images, 412 instances, 4 classes, 6 confirmed empty; about 4 minutes ..."""
        parts = [
            counted(self.images, "reviewed image"),
            counted(self.instances, "instance"),
            counted(len(self.classes), "class", "classes"),
        ]
        if self.empty:
            parts.append(f"{self.empty} confirmed empty")
        return f"{', '.join(parts)}; about {time_in_words(self.seconds)} on this machine"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def time_in_words(seconds: float) -> str:
    """A rough length of time, such as a person would say it."""
    if seconds < 90:
        return counted(max(10, round(seconds / 10) * 10), "second")
    if seconds < 90 * 60:
        return counted(round(seconds / 60), "minute")
    return f"{seconds / 3600:.1f} hours"
