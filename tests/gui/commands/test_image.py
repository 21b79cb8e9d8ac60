"""What a person says of an image as a whole: right, later, flags, or not right after all."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from engine.document.records import Provenance, ReviewState
from engine.upgrading import CHECK
from gui.commands import load_all
from gui.commands.registry import COMMANDS, Context
from tests.gui.commands.test_classes import _Parts
from tests.gui.making import stored
from tests.gui.panels.conftest import Place, empty_desk, folder, place

__all__ = ["empty_desk", "folder", "place"]

load_all()


@pytest.fixture
def context(place: Place) -> Context:
    return cast("Context", _Parts(place))


def test_that_accepting_keeps_what_is_seen_removes_what_is_hidden_and_goes_on(
    context: Context, place: Place
) -> None:
    place.show("b.png")
    best, _, _ = sorted(place.instances, key=lambda one: -(one.score or 0))
    seen = place.editor.sight.score
    COMMANDS["image.accept"].run(context)
    place.wait(lambda: place.editor.shown is not None and place.editor.shown.item.path != "b.png")
    place.settle()
    kept = stored(place.project.folder, "b.png")
    state = kept.pop(0)
    assert getattr(state, "review", None) is ReviewState.REVIEWED
    assert {getattr(one, "provenance", None) for one in kept.values()} == {Provenance.ACCEPTED}
    assert best.id in kept
    assert min(getattr(one, "score", 0) for one in kept.values()) >= seen
    assert len(kept) == 2


def test_that_an_image_accepted_with_nothing_on_it_is_a_confirmed_empty_one(
    context: Context, place: Place
) -> None:
    place.show("c.png")
    COMMANDS["image.accept"].run(context)
    place.settle()
    (state,) = stored(place.project.folder, "c.png").values()
    assert getattr(state, "review", None) is ReviewState.REVIEWED
    assert place.project.labelled_media()[place.id_of("c.png")]


def test_that_an_accepted_image_is_no_longer_flagged_for_its_masks(context: Context, place: Place) -> None:
    place.show("b.png")
    document = place.editor.document
    assert document is not None
    with place.editor.edit("x"):
        document.replace(replace(document.state, flags=("blurred", CHECK)))
    COMMANDS["image.accept"].run(context)
    place.settle()
    assert getattr(stored(place.project.folder, "b.png")[0], "flags", None) == ("blurred",)


def test_that_nothing_is_accepted_while_everything_is_hidden(context: Context, place: Place) -> None:
    told: list[str] = []
    place.desk.noticed.connect(told.append)
    place.show("b.png")
    COMMANDS["view.hide_all"].run(context)
    COMMANDS["image.accept"].run(context)
    assert "hidden" in told[-1]
    assert len(place.instances) == 3


def test_that_a_review_is_taken_back_and_the_instances_stay(context: Context, place: Place) -> None:
    place.show("a.png")
    assert COMMANDS["image.reopen"].when(context)
    COMMANDS["image.reopen"].run(context)
    assert not COMMANDS["image.reopen"].when(context)
    assert len(place.instances) == 1
    assert place.desk.state_of(place.id_of("a.png")).review is ReviewState.UNLABELLED


def test_that_an_image_put_off_is_passed_by_and_flags_are_the_ones_given(
    context: Context, place: Place
) -> None:
    place.show("b.png")
    COMMANDS["image.flags"].run(context, ("blurred", "ask Ann"))
    COMMANDS["image.skip"].run(context)
    place.wait(lambda: place.editor.shown is not None and place.editor.shown.item.path == "c.png")
    state = place.desk.state_of(place.id_of("b.png"))
    assert (state.flags, state.skip) == (("blurred", "ask Ann"), True)
    COMMANDS["image.previous_to_look_at"].run(context)
    place.wait(lambda: place.editor.shown is not None and place.editor.shown.item.path == "c.png")
    place.show("b.png")
    COMMANDS["image.skip"].run(context)
    assert not place.desk.state_of(place.id_of("b.png")).skip
