"""The end of a fine-tuning: the new version and the one in use on the same held-out images, and the verdict.

Runs both models, writes the report and the verdict into the new version's card. What the figures mean is
`engine.train.gate`'s business, making a version the active one that of whoever ordered the training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError, MediaError, ModelError
from engine.formats.labelled import LabelledSet
from engine.models.card import ModelVersion, write_card
from engine.models.store import ModelStore
from engine.models.version import load_network
from engine.train.evaluate import Evaluation, assess, evaluate_network, readable
from engine.train.events import Judged, Noted, Trained, TrainEvent
from engine.train.gate import Contender, judge, unmeasured
from engine.train.report import Measurement, write_comparison
from engine.train.verdict import Accept, Verdict


@dataclass(frozen=True, slots=True)
class Gate:
    """What is needed to judge a version. truth: the held-out images; against: the model in use, by name.

    folder: the project's, that image paths are told relative to. on_image: called with the images
    measured and all there are, and may raise StopAsked.
    """

    store: ModelStore
    truth: LabelledSet
    against: str
    accept: Accept
    seed: int
    device: str
    folder: Path
    report: Path | None
    send: Callable[[TrainEvent], None]
    on_image: Callable[[int, int], None]

    def passed(self, trained: Trained) -> Trained:
        """The version with its verdict in its card, which is also sent. Raises ModelError or StopAsked."""
        version = trained.best
        verdict = self._verdict(version)
        metrics = dict(version.card.metrics)
        if verdict.new is not None:
            metrics |= {"val_ap": verdict.new.ap, "val_gain": verdict.difference}
        training = {**version.card.training, "gate": verdict.to_json()}
        version = write_card(version, dataclasses.replace(version.card, metrics=metrics, training=training))
        self.send(Judged(verdict))
        return dataclasses.replace(trained, best=version, last=version, metrics=metrics)

    def _verdict(self, version: ModelVersion) -> Verdict:
        """By the images that can be read: one that went meanwhile costs its own figures and no others."""
        truth = self.truth
        while True:
            try:
                verdict = self._compared(version, truth)
            except (MediaError, DataError) as e:
                there = readable(truth)
                if len(there.images) == len(truth.images):
                    raise
                left = (
                    f"{len(there.images)} of {len(self.truth.images)} held-out images are left to measure on"
                )
                self.send(Noted(f"{str(e).rstrip('.')}: {left}"))
                truth = there
            else:
                return dataclasses.replace(verdict, unread=len(self.truth.images) - len(truth.images))

    def _compared(self, version: ModelVersion, truth: LabelledSet) -> Verdict:
        name = version.card.name
        if not truth.instance_count:
            return unmeasured(self.against, name, self.accept, images=len(truth.images))
        done, total = 0, 2 * len(truth.images)

        def count() -> None:
            nonlocal done
            done += 1
            self.on_image(done, total)

        self.send(Noted(f"measuring {name} and {self.against} on {len(truth.images)} held-out images"))
        old_version = self._old()
        new = self._evaluated(version, truth, count)
        old = self._evaluated(old_version, truth, count)
        report = ""
        if old_version is not None:
            report = self._reported(truth, Measurement(old_version, old), Measurement(version, new))
        return judge(
            truth,
            old=Contender(self.against, old.scores, old.matches, old.found),
            new=Contender(name, new.scores, new.matches, new.found),
            accept=self.accept,
            seed=self.seed,
            folder=self.folder,
            report=report,
        )

    def _old(self) -> ModelVersion | None:
        """The model to beat; None where it is gone, or an architecture without weights."""
        try:
            return self.store.resolve(self.against)
        except ModelError as e:
            self.send(Noted(f"{e} It counts as a model that finds nothing."))
            return None

    def _evaluated(
        self, version: ModelVersion | None, truth: LabelledSet, count: Callable[[], None]
    ) -> Evaluation:
        """A model's answers, scored; one that knows no class of the truth finds nothing."""
        if version is None or not set(version.card.classes) & set(truth.class_names):
            return assess(truth, [()] * len(truth.images))
        network = load_network(version)
        return evaluate_network(network, version.card, truth, self.device, on_image=count)

    def _reported(self, truth: LabelledSet, before: Measurement, after: Measurement) -> str:
        """The folder with the comparison; a report that cannot be written costs nothing but itself."""
        if self.report is None:
            return ""
        try:
            write_comparison(self.report, truth, before=before, after=after)
        except DataError as e:
            self.send(Noted(str(e)))
            return ""
        return str(self.report)
