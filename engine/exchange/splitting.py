"""Splits images into parts by share: what belongs together stays together, every class is everywhere.

Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011): the rarest class is dealt out first, each group
to the part that wants it most. Seeded and independent of the order of the images. Pure.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.errors import DataError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Shares:
    """Names of the parts with their shares, which sum to 1."""

    parts: tuple[tuple[str, float], ...]


def parse_shares(text: str) -> Shares:
    """Shares written as `train=80,val=10,test=10` or with fractions. Raises DataError."""
    found: dict[str, float] = {}
    for piece in text.split(","):
        name, _, share = (one.strip() for one in piece.partition("="))
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not _NAME.fullmatch(name) or not 0 < value < 1e6 or name in found:
            raise DataError(f"'{text}' is no split: write it as train=80,val=10,test=10.")
        found[name] = value
    total = sum(found.values())
    return Shares(tuple((name, value / total) for name, value in found.items()))


def group_of(name: str, rule: str) -> str:
    """What an image belongs to. rule: empty for itself, "folder", or a regular expression for its name.

    Of an expression with a group, that counts; a name that does not match stands alone. Raises DataError.
    """
    if not rule:
        return name
    if rule == "folder":
        return name.rpartition("/")[0]
    try:
        match = re.search(rule, name)
    except re.error as e:
        raise DataError(f"'{rule}' is no regular expression ({e}): write \"folder\", or mend it.") from e
    if match is None:
        return name
    return match.group(1) if match.re.groups else match.group()


def split(
    classes: Mapping[str, Sequence[int]], shares: Shares, *, seed: int, group_rule: str = ""
) -> dict[str, str]:
    """The part of each image. classes: of each image's name, the class of each of its instances.

    Frames and pages of one file (`clip.tif#3`) always stay together.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        groups[group_of(name.partition("#")[0], group_rule)].append(name)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    # An image that holds nothing is a class of its own: every part wants some of them.
    holds = {key: Counter(c for name in groups[key] for c in (classes[name] or (-1,))) for key in order}
    wanted = _Wanted(holds, {key: len(groups[key]) for key in order}, shares)
    left = dict.fromkeys(order)
    having: dict[int, list[str]] = defaultdict(list)
    for key in order:
        for class_ in holds[key]:
            having[class_].append(key)
    parts: dict[str, str] = {}
    remaining = {class_: sum(holds[key][class_] for key in keys) for class_, keys in having.items()}
    for class_ in sorted(having, key=lambda one: (remaining[one], one)):
        # Groups that hold much of it first, so that the small ones can even it out.
        for key in sorted((k for k in having[class_] if k in left), key=lambda k: -holds[k][class_]):
            part = wanted.place(class_, holds[key], len(groups[key]))
            del left[key]
            parts |= dict.fromkeys(groups[key], part)
    return parts


class _Wanted:
    """How much each part still wants of each class, and of images."""

    def __init__(self, holds: Mapping[str, Counter[int]], sizes: Mapping[str, int], shares: Shares) -> None:
        totals: Counter[int] = Counter()
        for counter in holds.values():
            totals.update(counter)
        self._of_class = {
            name: {class_: share * total for class_, total in totals.items()} for name, share in shares.parts
        }
        self._images = {name: share * sum(sizes.values()) for name, share in shares.parts}

    def place(self, class_: int, holds: Counter[int], images: int) -> str:
        """The part that wants a group most; it wants as much less afterwards."""
        part = max(self._images, key=lambda one: (self._of_class[one][class_], self._images[one]))
        for other, count in holds.items():
            self._of_class[part][other] -= count
        self._images[part] -= images
        return part
