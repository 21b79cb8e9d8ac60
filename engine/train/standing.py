"""How far a training run is, and what follows from that: when to measure, when to end early.

Numbers only; the restart file holds them beside the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.train.plan import Budget

MEASUREMENTS = 8
"""How often a run is measured on the images it holds out, the end included."""

FIRST_MEASUREMENT = 0.25
"""Share of the run before which nothing is measured: the averaged weights are still those of the start."""

PATIENCE = 4
"""Measurements in a row without a better one, after which a run ends. That is half of the run: the rate
falls along a cosine, and what stands still at a high rate often moves again at a lower one."""

LEAST_SHARE = 0.6
"""Share of the run before which it never ends early: at two thirds of a cosine the rate is a quarter."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands between two steps.

    seconds: trained, without measuring. best: the best score yet, negative before the first, and the
    step it is of. measured_step, measured_seconds: of the last measurement. fruitless: measurements
    since the best. skipped: steps in a row whose loss was not finite. at_once: pictures that the memory
    holds at once, 0 while a whole step's fit. prompts_step: from which on only the branch for prompts
    learns, -1 before; prompts_progress: how much of the run was done then, 0..1.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_step: int = 0
    measured_step: int = 0
    measured_seconds: float = 0.0
    fruitless: int = 0
    skipped: int = 0
    at_once: int = 0
    prompts_step: int = -1
    prompts_progress: float = 0.0

    @property
    def on_prompts(self) -> bool:
        """Whether only the branch for prompts learns."""
        return self.prompts_step >= 0

    def stepped(self, seconds: float, *, skipped: bool) -> Standing:
        """One step later."""
        return replace(
            self,
            step=self.step + 1,
            seconds=self.seconds + seconds,
            skipped=self.skipped + 1 if skipped else 0,
        )

    def measured(self, score: float) -> Standing:
        """After a measurement at this step."""
        at = replace(self, measured_step=self.step, measured_seconds=self.seconds)
        if score > self.best:
            return replace(at, best=score, best_step=self.step, fruitless=0)
        return replace(at, fruitless=self.fruitless + 1)

    def turned(self, progress: float) -> Standing:
        """From here on only the branch for prompts learns."""
        return replace(self, prompts_step=self.step, prompts_progress=progress, at_once=0)

    def is_time_to_measure(self, budget: Budget, end: float = 1.0) -> bool:
        """Whether a measurement is due; never twice at one step. end: of the run's part that changes AP."""
        progress = budget.progress(self.step, self.seconds)
        if self.on_prompts or progress < min(FIRST_MEASUREMENT, end) or self.step == self.measured_step:
            return False
        since = progress - budget.progress(self.measured_step, self.measured_seconds)
        return progress >= end or since >= 1 / MEASUREMENTS

    def is_fruitless(self, budget: Budget) -> bool:
        """Whether going on is not worth it."""
        return self.fruitless >= PATIENCE and budget.progress(self.step, self.seconds) >= LEAST_SHARE
