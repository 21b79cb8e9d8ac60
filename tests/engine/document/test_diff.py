"""A diff is the whole algebra of undo: inverse, joining, and nothing where nothing changed."""

from __future__ import annotations

import pytest
from hypothesis import given

from engine.document.diff import Diff
from engine.document.mask import EMPTY
from engine.document.records import IMAGE_STATE_ID, IgnoreRegion, ImageState, Instance, Record
from tests.engine.document.strategies import contents, seldom

Contents = dict[int, Record]


@seldom
@given(contents(), contents())
def test_that_a_diff_makes_one_state_of_another_and_its_inverse_takes_it_back(
    a: Contents, b: Contents
) -> None:
    diff = Diff.between(a, b)
    assert diff.applied_to(a) == b
    assert diff.applied_to(b) == b
    assert diff.invert().applied_to(b) == a
    assert diff.invert() == Diff.between(b, a)
    assert diff.invert().invert() == diff
    assert diff.is_empty == (a == b)


@seldom
@given(contents(), contents(), contents())
def test_that_two_diffs_in_a_row_are_the_diff_of_both(a: Contents, b: Contents, c: Contents) -> None:
    first, second = Diff.between(a, b), Diff.between(b, c)
    assert first.squash(second) == Diff.between(a, c)
    assert first.squash(second).invert() == second.invert().squash(first.invert())


@seldom
@given(contents(), contents(), contents(), contents())
def test_that_it_does_not_matter_which_two_are_squashed_first(
    a: Contents, b: Contents, c: Contents, d: Contents
) -> None:
    first, second, third = Diff.between(a, b), Diff.between(b, c), Diff.between(c, d)
    assert first.squash(second).squash(third) == first.squash(second.squash(third))


@seldom
@given(contents(), contents())
def test_that_a_diff_and_its_inverse_are_nothing(a: Contents, b: Contents) -> None:
    diff = Diff.between(a, b)
    assert diff.squash(diff.invert()).is_empty
    assert Diff().squash(diff) == diff.squash(Diff()) == diff


@seldom
@given(contents(), contents(), contents())
def test_that_a_fitted_diff_holds_what_still_makes_sense(a: Contents, b: Contents, now: Contents) -> None:
    diff = Diff.between(a, b)
    fitted = diff.fitted_to(now)
    assert diff.fitted_to(a) == diff
    assert diff.fitted_to(b).is_empty
    assert fitted == Diff.between(now, fitted.applied_to(now))
    assert fitted.ids <= diff.ids
    for id_ in diff.added.keys() & now.keys():
        assert id_ not in fitted.ids


def test_that_a_diff_that_cannot_follow_is_refused() -> None:
    one = Instance(1, 1)
    with pytest.raises(ValueError, match="adds a record"):
        Diff(added={1: one}).squash(Diff(added={1: one}))
    with pytest.raises(ValueError, match="the earlier one removed"):
        Diff(removed={1: one}).squash(Diff(removed={1: one}))


def test_that_a_diff_of_no_sense_is_refused() -> None:
    one = Instance(1, 1)
    with pytest.raises(ValueError, match="not two of these"):
        Diff(added={1: one}, removed={1: one})
    with pytest.raises(ValueError, match="to what it was"):
        Diff(updated={1: (one, Instance(1, 1))})


def test_that_a_diff_cannot_be_changed() -> None:
    source = {1: IgnoreRegion(1, EMPTY)}
    diff = Diff(added=source)
    source.clear()
    assert diff.ids == {1}
    with pytest.raises(TypeError):
        diff.added[2] = ImageState()  # type: ignore[index]
    assert IMAGE_STATE_ID not in diff.ids
