"""The gate: AP of resampled images, the decision, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.document.records import ClassDef, Instance, Provenance
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.confusion import match
from engine.train.events import Judged, Picture, Pictured, from_line, to_line
from engine.train.gate import Contender, judge, unmeasured
from engine.train.resample import average_precisions, difference, matched
from engine.train.scores import score
from engine.train.verdict import Accept, Decision, Verdict, decide
from tests.engine.train.toy import disc

SIDE = 120
CLASSES = (ClassDef(3, "nut", "#ff0000"), ClassDef(1, "bolt", "#00ff00"))
Found = list[tuple[Instance, ...]]


def truth_of(images: int, seed: int = 0) -> LabelledSet:
    """Images with two to four discs, of both classes."""
    chance = np.random.default_rng(seed)
    made = []
    for number in range(images):
        spots = [(20 + 40 * (n % 3), 30 + 50 * (n // 3)) for n in range(int(chance.integers(2, 5)))]
        instances = tuple(
            Instance(10 * number + n + 1, CLASSES[n % 2].id, disc(x, y, 12, SIDE))
            for n, (x, y) in enumerate(spots)
        )
        made.append(LabelledImage(Path(f"/data/{number}.png"), SIDE, SIDE, instances))
    return LabelledSet(CLASSES, tuple(made))


def found_of(
    truth: LabelledSet,
    *,
    shift: int,
    miss: float,
    extra: float = 0.2,
    seed: int = 1,
    names: Sequence[int] = (1, 3),
) -> Found:
    """What a model finds that is off by up to `shift` pixels, misses a share and invents another."""
    chance = np.random.default_rng(seed)
    every: Found = []
    for image in truth.images:
        own = []
        for one in image.instances:
            assert one.mask is not None
            if one.class_id not in names or chance.random() < miss:
                continue
            dx, dy = chance.integers(-shift, shift + 1, 2)
            mask = replace(one.mask, x=max(0, one.mask.x + int(dx)), y=max(0, one.mask.y + int(dy)))
            own.append(_detection(one.class_id, mask.x, mask.y, chance))
        if chance.random() < extra:
            own.append(_detection(1, 90, 90, chance))
        every.append(tuple(own))
    return every


def _detection(class_id: int, x: int, y: int, chance: np.random.Generator) -> Instance:
    mask = disc(x + 12, y + 12, 12, SIDE)
    return Instance(1, class_id, mask, score=float(chance.random()), provenance=Provenance.PREDICTED)


def contender(name: str, truth: LabelledSet, found: Found) -> Contender:
    return Contender(name, score(truth, found), match(truth, found), tuple(found))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["mask", "box"])
def test_that_each_image_once_gives_cocos_ap(kind: str, seed: int) -> None:
    truth = truth_of(8, seed)
    found = found_of(truth, shift=4, miss=0.2, extra=0.5, seed=seed)
    ours = average_precisions(matched(truth, found, kind), np.ones((1, 8), np.int64))
    assert ours[0] == pytest.approx(score(truth, found, (kind,)).metrics[f"{kind}_ap"], abs=1e-9)


def test_that_an_image_drawn_twice_counts_as_two_images() -> None:
    truth = truth_of(4)
    found = found_of(truth, shift=4, miss=0.2)
    weights = np.array([[2, 1, 0, 1]])
    ours = average_precisions(matched(truth, found, "mask"), weights)[0]
    order = [0, 0, 1, 3]
    twice = truth.with_images(tuple(truth.images[n] for n in order))
    assert ours == pytest.approx(score(twice, [found[n] for n in order]).metrics["mask_ap"], abs=0.02)


def test_that_a_class_that_no_drawn_image_holds_counts_neither_way() -> None:
    truth = truth_of(3)
    only_nut = replace(truth.images[0], instances=truth.images[0].instances[:1])
    truth = truth.with_images((only_nut, *truth.images[1:]))
    perfect = [tuple(replace(one, score=0.9) for one in image.instances) for image in truth.images]
    aps = average_precisions(matched(truth, perfect, "mask"), np.array([[1, 0, 0], [0, 0, 0]]))
    assert aps[0] == pytest.approx(1.0)
    assert np.isnan(aps[1])


def test_that_the_same_seed_draws_the_same_images() -> None:
    truth = truth_of(6)
    old, new = (matched(truth, found_of(truth, shift=s, miss=0.2), "mask") for s in (6, 2))
    first, again, other = (difference(old, new, seed=seed, resamples=50) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first is not None
    assert first.low <= first.mean <= first.high
    assert first.mean > 0


@pytest.mark.parametrize(
    ("mean", "high", "accept", "decision"),
    [
        (0.05, 0.1, Accept.BETTER, Decision.ACTIVATED),
        (0.001, 0.1, Accept.BETTER, Decision.ACTIVATED),
        (0.0, 0.0, Accept.BETTER, Decision.KEPT),
        (-0.01, 0.02, Accept.BETTER, Decision.KEPT),
        (-0.05, -0.01, Accept.BETTER, Decision.REFUSED),
        (-0.05, -0.01, Accept.ALWAYS, Decision.ACTIVATED),
        (0.3, 0.4, Accept.NEVER, Decision.KEPT),
        (-0.3, -0.2, Accept.NEVER, Decision.REFUSED),
    ],
)
def test_that_the_interval_and_the_mean_decide(
    mean: float, high: float, accept: Accept, decision: Decision
) -> None:
    assert decide(mean, high, accept) is decision


def test_that_a_better_model_is_activated_a_worse_one_refused_and_the_same_kept() -> None:
    truth = truth_of(12)
    good = contender("good", truth, found_of(truth, shift=1, miss=0.0))
    bad = contender("bad", truth, found_of(truth, shift=6, miss=0.4))
    up = judge(truth, old=bad, new=good, accept=Accept.BETTER, seed=0, folder=Path("/data"))
    down = judge(truth, old=good, new=bad, accept=Accept.BETTER, seed=0)
    same = judge(truth, old=good, new=good, accept=Accept.BETTER, seed=0)
    assert (up.decision, down.decision, same.decision) == (
        Decision.ACTIVATED, Decision.REFUSED, Decision.KEPT,
    )  # fmt: skip
    assert up.low > 0
    assert down.difference == pytest.approx(-up.difference)
    assert up.new is not None
    assert up.old is not None
    assert up.new.ap > up.old.ap
    assert up.new.missed < up.old.missed
    assert set(up.new.per_class) == {"nut", "bolt"}
    assert up.new.boundary_ap is not None
    assert up.differing[0].path in {f"{n}.png" for n in range(12)}
    assert same.differing == ()
    assert "better, and active" in up.reason
    assert "worse" in down.reason
    assert down.advice
    assert not up.advice


def test_that_a_model_that_lacks_a_class_scores_nothing_there() -> None:
    truth = truth_of(6)
    whole, half = (found_of(truth, shift=0, miss=0.0, extra=0.0, names=n) for n in ((1, 3), (3,)))
    verdict = judge(
        truth,
        old=contender("old", truth, half),
        new=contender("new", truth, whole),
        accept=Accept.BETTER,
        seed=0,
    )
    assert verdict.old is not None
    assert verdict.old.per_class["bolt"] == 0.0
    assert verdict.old.ap == pytest.approx(0.5)
    assert verdict.decision is Decision.ACTIVATED


def test_that_without_a_held_out_object_nothing_is_activated_unasked() -> None:
    empty = LabelledSet(CLASSES, tuple(replace(image, instances=()) for image in truth_of(2).images))
    nothing: Found = [(), ()]
    verdict = judge(
        empty,
        old=contender("old", empty, nothing),
        new=contender("new", empty, nothing),
        accept=Accept.BETTER,
        seed=0,
    )
    assert verdict.decision is Decision.KEPT
    assert "nobody knows" in verdict.reason
    assert "Review a few more" in verdict.advice
    assert unmeasured("old", "new", Accept.ALWAYS).decision is Decision.ACTIVATED


def test_that_few_images_are_said_to_be_few() -> None:
    truth = truth_of(4)
    better = found_of(truth, shift=2, miss=0.1)
    verdict = judge(
        truth,
        old=contender("old", truth, found_of(truth, shift=3, miss=0.1)),
        new=contender("new", truth, better),
        accept=Accept.BETTER,
        seed=0,
    )
    assert "four cases of five" in verdict.certainty
    assert "4 held-out images are few to tell" in verdict.certainty


def test_that_a_verdict_survives_card_and_wire() -> None:
    truth = truth_of(5)
    verdict = judge(
        truth,
        old=contender("old", truth, found_of(truth, shift=6, miss=0.3)),
        new=contender("new", truth, found_of(truth, shift=1, miss=0.0)),
        accept=Accept.BETTER,
        seed=0,
        report="somewhere",
    )
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    assert from_line(to_line(Judged(verdict))) == Judged(verdict)
    bare = unmeasured("old", "new", Accept.BETTER)
    assert from_line(to_line(Judged(bare))) == Judged(bare)
    shown = Pictured(3, 0.5, 0.25, (Picture("ü.png", 2, b"\xff\xd8\x00"), Picture("b.png", 0, b"")))
    assert from_line(to_line(shown)) == shown
    with pytest.raises(ValueError, match="verdict"):
        Verdict.from_json({"decision": "maybe"})
