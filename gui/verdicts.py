"""A verdict of the gate in a few words and in figures, for panels and sheets. Pure; knows no widget."""

from __future__ import annotations

from dataclasses import dataclass

from engine.messages import Verdict
from gui.commands.registry import translated

SAME = 0.0005
"""Of AP: less is no difference that three digits show."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table. gain: what is better, above 0, or worse; None where nothing can be said."""

    name: str
    old: str
    new: str
    difference: str
    gain: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """What stands over the figures. heads: of the columns of the old and of the new model."""

    title: str
    words: str
    is_good: bool
    heads: tuple[str, str]


def of_gate(verdict: Verdict) -> Told:
    """A training's verdict at its end: what became of the new version, why, and what would help."""
    words = "\n".join(filter(None, (verdict.reason, verdict.certainty, verdict.advice)))
    return Told(headline(verdict), words, verdict.is_active, (translated("before"), translated("after")))


def of_comparison(verdict: Verdict) -> Told:
    """Two models side by side, nothing decided; also an old verdict, whose version is perhaps not in use."""
    old, new, heads = verdict.old_name, verdict.new_name, (verdict.old_name, verdict.new_name)
    if verdict.old is None or verdict.new is None:
        title = translated("{} and {} could not be measured").format(old, new)
        return Told(title, translated("There was no held-out image to measure on."), False, heads)
    if abs(verdict.difference) < SAME:
        title = translated("{} is as good as {}")
    elif verdict.low > 0:
        title = translated("{} is better than {}")
    elif verdict.high < 0:
        title = translated("{} is worse than {}")
    elif verdict.difference > 0:
        title = translated("{} seems better than {}")
    else:
        title = translated("{} seems worse than {}")
    figures = translated("Mask AP {:.3f}, against {:.3f} of {}, on {} held-out images.").format(
        verdict.new.ap, verdict.old.ap, old, verdict.images
    )
    return Told(title.format(new, old), f"{figures}\n{verdict.certainty}", verdict.low > 0, heads)


def headline(verdict: Verdict) -> str:
    """What became of the new version, in a few words."""
    if verdict.is_active:
        return translated("{} is in use now").format(verdict.new_name)
    return translated("{} stays in use; {} is kept beside it").format(verdict.old_name, verdict.new_name)


def figures(verdict: Verdict) -> list[Figure]:
    """The table's lines; none where nothing was measured."""
    old, new = verdict.old, verdict.new
    if old is None or new is None:
        return []
    found = [_share(translated("Mask AP"), old.ap, new.ap)]
    if old.boundary_ap is not None or new.boundary_ap is not None:
        found.append(_share(translated("Boundary AP"), old.boundary_ap, new.boundary_ap))
    for name, was, now in (
        (translated("Missed objects"), old.missed, new.missed),
        (translated("Spurious objects"), old.spurious, new.spurious),
        (translated("Of another class"), old.confused, new.confused),
    ):
        difference = "=" if now == was else f"{now - was:+,}".replace("-", "−")
        found.append(Figure(name, f"{was:,}", f"{now:,}", difference, float(was - now)))
    return found


def by_class(verdict: Verdict) -> list[Figure]:
    """AP of each class; none where there is one class or nothing was measured."""
    old, new = verdict.old, verdict.new
    if old is None or new is None or len(new.per_class) < 2:
        return []
    return [_share(name, old.per_class.get(name), ap) for name, ap in new.per_class.items()]


def _share(name: str, old: float | None, new: float | None) -> Figure:
    gain = None if new is None else new - (old or 0.0)
    shown = "" if gain is None else "=" if abs(gain) < SAME else f"{gain:+.3f}".replace("-", "−")
    return Figure(name, _told(old), _told(new), shown, gain)


def _told(ap: float | None) -> str:
    return "–" if ap is None else f"{ap:.3f}"
