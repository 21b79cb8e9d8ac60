"""Orders and events as lines of JSON: what goes in comes out, and what is wrong is told in a sentence."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.train.events import (
    EndedEarly,
    Failed,
    Fetching,
    Measured,
    Noted,
    Started,
    Stepped,
    Stopped,
    Trained,
    TrainEvent,
    from_line,
    to_line,
)
from engine.train.order import TrainOrder
from engine.train.plan import with_changes
from engine.train.recipe import FROM_NOTHING, Recipe

ROOT = Path(__file__).resolve().parents[3]


def test_that_an_order_survives_its_journey() -> None:
    order = TrainOrder(
        Path("Daten ü") / "a.json",
        images=Path("bilder"),
        val_fraction=0.2,
        name="teile",
        minutes=1.5,
        seed=3,
        window=True,
        recipe={"batch": 4, "scales": [1, 1.5], "optimizer": "adamw"},
    )
    line = order.to_json()
    assert line.isascii()
    assert "\n" not in line
    assert TrainOrder.from_json(line) == order
    assert TrainOrder.from_json('{"data": "x", "minutes": 2}') == TrainOrder(Path("x"), minutes=2.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "'data' is missing"),
        ('{"data": 3}', "'data' must be a path"),
        ('{"data": ""}', "'data' must be a path"),
        ('{"data": "x", "iteration": 3}', "'iteration' is not known"),
        ('{"data": "x", "iterations": 3.0}', "'iterations' must be a whole number"),
        ('{"data": "x", "iterations": true}', "'iterations' must be a whole number"),
        ('{"data": "x", "iterations": 0}', "'iterations' must be at least 1"),
        ('{"data": "x", "minutes": "1"}', "'minutes' must be a number"),
        ('{"data": "x", "minutes": NaN}', "'minutes' must be more than 0"),
        ('{"data": "x", "iterations": 1, "minutes": 1}', "not both"),
        ('{"data": "x", "val": "y", "val_fraction": 0.5}', "not both"),
        ('{"data": "x", "val_fraction": 1}', "'val_fraction' must be"),
        ('{"data": "x", "held_out": 1}', "'held_out' must be"),
        ('{"data": "x", "side": 32}', "'side' must be at least 64"),
        ('{"data": "x", "seed": -1}', "'seed' must not be negative"),
        ('{"data": "x", "device": "tpu"}', "'device' must be one of"),
        ('{"data": "x", "resume": 1}', "'resume' must be true or false"),
        ('{"data": "x", "recipe": 1}', "'recipe' must be a JSON object"),
        ('{"data": "x", "recipe": {"speed": 1}}', "no 'speed'"),
        (
            '{"data": "x", "recipe": {"batch": 0}}',
            "'batch' of the recipe must be a whole number of at least 1",
        ),
        ('{"data": "x", "recipe": {"batch": 2.5}}', "'batch' of the recipe must be a whole number"),
        ('{"data": "x", "recipe": {"colour": Infinity}}', "'colour' of the recipe must be a number"),
        ('{"data": "x", "recipe": {"colour": true}}', "'colour' of the recipe must be a number"),
        ('{"data": "x", "recipe": {"scales": [1]}}', "'scales' of the recipe must be a list of 2"),
        ('{"data": "x", "recipe": {"optimizer": "sdg"}}', "'optimizer' of the recipe must be one of"),
    ],
)
def test_that_a_wrong_order_is_told_in_one_sentence(text: str, told: str) -> None:
    with pytest.raises(TrainingError) as caught:
        TrainOrder.from_json(text)
    message = str(caught.value)
    assert told in message
    assert message.endswith(".")
    assert "\n" not in message


def test_that_changes_replace_fields_of_whatever_recipe_suits_the_base() -> None:
    for recipe in (Recipe(), FROM_NOTHING):
        changed = with_changes(recipe, {"batch": 6, "learning_rate": 1, "scales": [0.5, 1]})
        assert (changed.batch, changed.learning_rate, changed.scales) == (6, 1.0, (0.5, 1.0))
        assert changed.optimizer == recipe.optimizer


@pytest.mark.parametrize(
    "event",
    [
        Noted("bänke"),
        Fetching("m", 3, None),
        Started("cpu", 4, 8, 0, 96, 32, 0, None),
        Stepped(2, 0.5, 1.25, {"mask": 0.5}, 0.01, 3.5, False, 1.75, None),
        Measured(4, {"mask_ap": 0.25}, True),
        EndedEarly(70, 30, 4),
        Failed("It does not work.", fault=True),
        Stopped(None),
    ],
)
def test_that_an_event_survives_its_journey(event: TrainEvent) -> None:
    line = to_line(event)
    assert line.isascii()
    assert "\n" not in line
    assert from_line(line) == event


def test_that_a_loss_that_is_not_finite_travels_as_null() -> None:
    line = to_line(Stepped(1, 0.5, math.nan, {"mask": math.inf, "box": 1.0}, 0.01, 1.0, True))
    assert json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["loss"] is None
    event = from_line(line)
    assert isinstance(event, Stepped)
    assert math.isnan(event.loss)
    assert math.isnan(event.losses["mask"])
    assert event.losses["box"] == 1.0
    assert event.seconds_left is None


def test_that_the_versions_of_a_finished_training_are_read_with_their_cards(toy_models: Path) -> None:
    line = json.dumps(
        {
            "event": "trained",
            "best": str(toy_models / "toy.safetensors"),
            "last": str(toy_models / "other.safetensors"),
            "steps": 3,
            "seconds": 1.5,
            "metrics": {"mask_ap": 0.5},
        }
    )
    event = from_line(line)
    assert isinstance(event, Trained)
    assert (event.best.card.name, event.last.card.name) == ("toy", "other")
    assert from_line(to_line(event)) == event


@pytest.mark.parametrize(
    "line", ["", "epoch 1", "3", '{"event": "party"}', '{"event": "noted"}', '{"event": "noted", "x": 1}']
)
def test_that_a_line_that_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"not an event|not the fields|Expecting value"):
        from_line(line)


def test_that_the_side_that_orders_needs_no_torch() -> None:
    modules = ("engine.train.process", "engine.cli.training", "engine.cli.train")
    script = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted({'torch', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
