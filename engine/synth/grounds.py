"""Which grounds each split of rendered pictures draws from.

Training and test draw from disjoint sets, so that a test picture's ground was never trained on. The
wide split adds grounds of every colour and structure to the training's: it teaches a model that the
ground can be anything.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from engine.synth.anything import WIDE
from engine.synth.backgrounds import TEST, TRAIN, Maker

Split: TypeAlias = Literal["train", "test", "wide"]

GROUNDS: dict[Split, dict[str, Maker]] = {"train": TRAIN, "test": TEST, "wide": TRAIN | WIDE}
"""The grounds of each split, by name: no name of the test's is in another."""
