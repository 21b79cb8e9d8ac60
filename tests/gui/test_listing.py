"""Where one goes from an image to the next, without a project."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.document.records import ImageState, MediaItem, ReviewState
from gui.listing import Listing

REVIEWED, PUT_OFF = ImageState(ReviewState.REVIEWED), ImageState(skip=True)


def listing(*items: MediaItem, order: tuple[int, ...] = (), **states: ImageState) -> Listing:
    """states: by the letter in the name of an image."""
    named = {item.path[0]: item.id for item in items}
    made = Listing(items, {item.id: item for item in items}, {named[key]: one for key, one in states.items()})
    made.set_order(order or tuple(item.id for item in items))
    return made


A, B, C = MediaItem(1, "a.png"), MediaItem(2, "b.png"), MediaItem(3, "c.png")


def test_that_steps_end_at_the_ends_and_begin_at_them_where_nothing_is_shown() -> None:
    found = listing(A, B, C)
    assert [found.step(one, 1) for one in (None, A, B, C)] == [1, 2, 3, None]
    assert [found.step(one, -1) for one in (None, C, B, A)] == [3, 2, 1, None]


def test_that_steps_follow_the_list_as_it_is_sorted_and_filtered() -> None:
    found = listing(A, B, C, order=(3, 1))
    assert found.step(C, 1) == 1
    assert found.step(B, 1) == 3, "an image that the list leaves out goes to its beginning"


def test_that_a_frame_that_is_not_listed_steps_to_those_around_it() -> None:
    film = [MediaItem(n, "film.mp4", frame) for n, frame in ((1, 0), (2, 10), (3, 20))]
    found = listing(film[0], film[2])
    found.items[2] = film[1]
    assert (found.step(film[1], 1), found.step(film[1], -1)) == (3, 1)


@pytest.mark.parametrize(("by", "then"), [(1, 3), (-1, 3)])
def test_that_what_is_reviewed_put_off_or_missing_needs_no_look(by: int, then: int) -> None:
    found = listing(A, B, C, replace(C, id=4, path="d.png", missing=True), a=REVIEWED, b=PUT_OFF)
    assert found.to_look_at(A, by) == then
    assert found.to_look_at(C, by) is None, "it is the only one"


def test_that_neighbours_are_those_whose_files_are_there() -> None:
    found = listing(A, replace(B, missing=True), C)
    assert found.neighbours(A, (1, 2, -1)) == (C,)
    assert found.neighbours(None, (1,)) == ()


def test_that_a_frame_is_listed_once_it_has_something_on_record() -> None:
    found = listing(A, C)
    assert not found.lists(2)
    found.add(B)
    assert found.lists(2)
    assert [item.path for item in found.media] == ["a.png", "b.png", "c.png"]
