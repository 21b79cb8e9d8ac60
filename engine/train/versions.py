"""The model versions that a training run leaves: the best so far while it goes on, two at its end.

Knows cards and files; nothing of steps, losses or measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torchvision.models.detection import FasterRCNN

from engine.errors import ModelError
from engine.models.card import (
    CARD_SUFFIX,
    WEIGHTS_SUFFIX,
    Json,
    ModelCard,
    ModelVersion,
    read_version,
    write_card,
)
from engine.models.version import load_network, save_version
from engine.train.plan import TrainPlan
from engine.train.recipe import Recipe
from engine.train.standing import Standing
from engine.train.start import Start


@dataclass(frozen=True, slots=True, eq=False)
class Versions:
    """Saves networks of one run with their cards. root: the store's folder. Methods raise ModelError."""

    root: Path
    plan: TrainPlan
    start: Start
    recipe: Recipe
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", self.plan.data.fingerprint())

    @property
    def folder(self) -> Path:
        """Where unfinished work lies: the restart file and the best weights so far."""
        return self.root / "training"

    def put_aside(self, network: FasterRCNN, at: Standing, metrics: Mapping[str, float]) -> None:
        """Keep the best weights so far until the run ends or better ones come."""
        self._save(self.folder, self.plan.name, network, at, metrics)

    def put_back(self, network: FasterRCNN, card: ModelCard) -> None:
        """Keep a network in place of the one that was put aside, with its card."""
        save_version(self.folder, self.plan.name, network, card)

    def aside(self) -> ModelVersion | None:
        """The best weights so far, if they are there."""
        try:
            return read_version(self.folder / f"{self.plan.name}{WEIGHTS_SUFFIX}")
        except ModelError:
            return None

    def note(self, kept: ModelVersion, metrics: Mapping[str, float]) -> None:
        """Write more of what was measured on the card of the weights that were put aside."""
        write_card(kept, replace(kept.card, metrics={**kept.card.metrics, **metrics}))

    def save_best(self, at: Standing, otherwise: Callable[[], FasterRCNN]) -> ModelVersion:
        """Save under the plan's name what was put aside; where nothing was measured, what there is."""
        name = self.plan.name
        kept = self.aside() if at.best >= 0 else None
        if kept is None:
            version = self._save(self.root, name, otherwise(), at, {})
        else:
            version = save_version(self.root, name, load_network(kept), kept.card)
        for suffix in (WEIGHTS_SUFFIX, CARD_SUFFIX):
            (self.folder / (name + suffix)).unlink(missing_ok=True)
        return version

    def save_last(self, network: FasterRCNN, at: Standing) -> ModelVersion:
        """Save the last step's weights as NAME-last."""
        return self._save(self.root, f"{self.plan.name}-last", network, at, {})

    def _save(
        self, folder: Path, name: str, network: FasterRCNN, at: Standing, metrics: Mapping[str, float]
    ) -> ModelVersion:
        held_out = {f"held_out_{key}": value for key, value in metrics.items()}
        return save_version(folder, name, network, self.card(name, at, held_out))

    def card(self, name: str, at: Standing, metrics: Mapping[str, float]) -> ModelCard:
        """What is known of the run's weights at a step."""
        training: dict[str, Json] = {
            "base": Path(self.plan.base).name,  # a card is passed on: it names no folder
            "seed": self.plan.seed,
            "steps": at.step,
            "minutes": round(at.seconds / 60, 2),
            "device": self.plan.device,
            "images": len(self.plan.data.images),
            "recipe": self.recipe.to_json(),
            **dict(self.plan.notes),
        }
        return ModelCard(
            name,
            self.start.spec,
            self.plan.data.class_names,
            mean=self.start.mean,
            std=self.start.std,
            parent=self.start.parent,
            training=training,
            data_fingerprint=self.fingerprint,
            metrics=metrics,
        )
