"""What the gate found of two models on the same held-out images, and what is done about it. No torch here.

Plain data with its form as JSON: it goes into the new version's card, over the wire and onto the sheet.
How the figures come about is `engine.train.gate`'s business.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.models.card import Json

FEW_IMAGES = 20
"""Up to so many held-out images a difference says little; whoever reads it is told so."""


class Accept(StrEnum):
    """Which new version becomes the active one: a better one, whatever comes out, or none."""

    BETTER = "better"
    ALWAYS = "always"
    NEVER = "never"


class Decision(StrEnum):
    """What becomes of the new version.

    KEPT: it is there, but the old one stays active. REFUSED: the same, because it is worse.
    """

    ACTIVATED = "activated"
    KEPT = "kept"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model on the held-out images.

    ap: by mask where there are masks, else by box, 0..1. boundary_ap: None where nothing has a mask.
    per_class: AP by name, of the classes that the images hold. missed, spurious, confused: objects at a
    score of one half that were not found, that are none, and that were found as another class.
    """

    name: str
    ap: float
    boundary_ap: float | None = None
    per_class: Mapping[str, float] = field(default_factory=dict)
    missed: int = 0
    spurious: int = 0
    confused: int = 0


@dataclass(frozen=True, slots=True)
class Differing:
    """An image on which the two models differ: its path in the project, its frame, its own AP by each."""

    path: str
    frame: int
    old_ap: float
    new_ap: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a fine-tuning.

    old, new: None, with no figures, where no held-out image could be measured on. difference: new minus
    old AP, the mean over resampled images; low, high: its 80 % interval. differing: the images on
    which the two differ most, first. report: the folder of the report, empty where there is none.
    unread: held-out images that could not be read any more, and are not among `images`.
    """

    decision: Decision
    accept: Accept
    new_name: str
    old_name: str
    images: int = 0
    instances: int = 0
    old: ModelFigures | None = None
    new: ModelFigures | None = None
    difference: float = 0.0
    low: float = 0.0
    high: float = 0.0
    differing: tuple[Differing, ...] = ()
    report: str = ""
    unread: int = 0

    @property
    def is_active(self) -> bool:
        """Whether the new version is to become the active one."""
        return self.decision is Decision.ACTIVATED

    @property
    def reason(self) -> str:
        """Why it was decided so, in a sentence or two."""
        if self.old is None or self.new is None:
            kept = "it is active because that was asked for" if self.is_active else "it is kept, not active"
            return f"No held-out image could be measured on, so nobody knows whether it is better: {kept}."
        what = f"AP {self.old.ap:.3f} before, {self.new.ap:.3f} after, on {_images(self.images)}"
        if self.unread:
            what += f" ({self.unread} more could not be read)"
        match self.decision, self.accept:
            case Decision.ACTIVATED, Accept.ALWAYS:
                why = "it is active because that was asked for"
            case Decision.ACTIVATED, _:
                why = "it is better, and active"
            case _, Accept.NEVER:
                why = "it is kept, not active, because that was asked for"
            case Decision.REFUSED, _:
                why = "it is worse, so the old model stays active"
            case _:
                why = "it is no better on the average, so the old model stays active"
        return f"{what}: {why}."

    @property
    def certainty(self) -> str:
        """How far the difference can be trusted, in words; empty where nothing was measured."""
        if self.new is None:
            return ""
        between = f"With other images of the same kind the difference would lie between {self.low:+.3f} and "
        between += f"{self.high:+.3f} in four cases of five"
        if self.low > 0:
            said = ": the gain is beyond doubt by chance."
        elif self.high < 0:
            said = ": the loss is beyond doubt by chance."
        else:
            said = ": it may be chance."
        few = f" {_images(self.images).capitalize()} are few to tell." if self.images <= FEW_IMAGES else ""
        return between + said + few

    @property
    def advice(self) -> str:
        """What would help, in a sentence; empty where the new version is active."""
        if self.is_active:
            return ""
        if self.new is None:
            return "Review a few more images; every fifth or so is held out to measure on."
        if self.images <= FEW_IMAGES:
            return "Review more images, those first that the review queue lists, and fine-tune again."
        weak = min(self.new.per_class, key=self.new_ap, default="")
        named = f" of '{weak}', its weakest class" if len(self.new.per_class) > 1 else ""
        return f"Review more images{named}, look through the likely mistakes, or give it more time."

    def new_ap(self, name: str) -> float:
        """The new model's AP of a class, 0 where it has none."""
        return self.new.per_class.get(name, 0.0) if self.new else 0.0

    def to_json(self) -> dict[str, Json]:
        """As a model card holds it."""
        plain: dict[str, Json] = dataclasses.asdict(self)
        plain["differing"] = [dict(dataclasses.asdict(one)) for one in self.differing]
        return plain

    @classmethod
    def from_json(cls, data: Any) -> Verdict:
        """The verdict in JSON data. Raises ValueError for data that is none."""
        try:
            given = dict(data)
            for name in ("old", "new"):
                if given.get(name) is not None:
                    given[name] = ModelFigures(**given[name])
            given["differing"] = tuple(Differing(**one) for one in given.get("differing", ()))
            given |= {"decision": Decision(given["decision"]), "accept": Accept(given["accept"])}
            return cls(**given)
        except (TypeError, KeyError, ValueError) as e:
            raise ValueError("not a verdict") from e


def decide(mean: float, high: float, accept: Accept) -> Decision:
    """What becomes of the new version, from the difference of AP: its mean and the 80 % interval's end.

    Better on the average: it is activated. Worse beyond chance, the whole interval below 0: refused.
    In between, no better on the average but perhaps by chance: kept, not activated.
    """
    if accept is Accept.ALWAYS:
        return Decision.ACTIVATED
    if high < 0:
        return Decision.REFUSED
    if mean > 0 and accept is Accept.BETTER:
        return Decision.ACTIVATED
    return Decision.KEPT


def _images(count: int) -> str:
    return f"{count} held-out image{'s' if count != 1 else ''}"
