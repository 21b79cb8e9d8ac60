"""Figures in words that need no knowledge of how they are computed."""

from __future__ import annotations

from engine.formats.labelled import LabelledImage
from engine.train.confusion import Confusion, Matches

NO_FIGURE = "–"
WORTH_CHANGING = 0.005
"""Less F1 than this is no reason to propose another threshold."""


def number(value: float | None) -> str:
    """A figure on a 0-1 scale, to three digits."""
    return NO_FIGURE if value is None else f"{value:.3f}"


def change(before: float | None, after: float | None) -> str:
    """The difference, with its sign."""
    return NO_FIGURE if before is None or after is None else f"{after - before:+.3f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share in percent; 100 % and 0 % only where it is exactly that."""
    if share is None:
        return NO_FIGURE
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{100 * share:.0f} %"


def count(quantity: int, thing: str, things: str = "") -> str:
    """`1 object`, `2,100 objects`."""
    return f"{quantity:,} {thing if quantity == 1 else things or thing + 's'}"


def headline(counts: Confusion) -> tuple[tuple[str, bool], ...]:
    """What a person wants to know first, in parts; True marks those to stress."""
    if counts.true and counts.found:
        return (
            ("Finds ", False), (percent(counts.recall), True), (" of the objects; ", False),
            (percent(counts.precision), True), (" of what it finds is right.", False),
        )  # fmt: skip
    if counts.true:
        return (("Finds ", False), ("none", True), (f" of the {count(counts.true, 'object')}.", False))
    said = f"There is nothing to find here; it finds {count(counts.found, 'object')} all the same."
    return ((said if counts.found else "There is nothing to find here, and it finds nothing.", False),)


def sentence(counts: Confusion) -> str:
    """The headline as one string."""
    return "".join(part for part, _ in headline(counts))


def advice(matches: Matches, counts: Confusion) -> str:
    """Which score threshold suits the model, as a sentence; empty where nothing speaks for any."""
    threshold = matches.best_threshold()
    if threshold is None:
        return ""
    best = matches.at(threshold)
    if (best.f1 or 0.0) - (counts.f1 or 0.0) < WORTH_CHANGING:
        return f"The threshold {counts.threshold:.2f} suits this model."
    return (
        f"A good threshold for this model is {threshold:.2f}: there it finds {percent(best.recall)}, and "
        f"{percent(best.precision)} is right."
    )


def mistakes(counts: Confusion) -> str:
    """`2 missed, 1 extra`, or that there are none."""
    told = {"missed": counts.missed, "extra": counts.extra, "taken for another class": counts.confused}
    return ", ".join(f"{number:,} {what}" for what, number in told.items() if number) or "no mistakes"


def image_name(image: LabelledImage) -> str:
    """The file's name, and the frame or page where it is not the first."""
    return f"{image.path.name}, frame {image.frame}" if image.frame else image.path.name
