"""The real program finds what a person forgot, and what is worth a look; what is settled stays settled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.document.records import Provenance
from engine.project.examined import ConflictKind
from gui.panels.media_filter import Sort
from tests.journeys.person import Person, quiet

LONG = 120.0


def test_that_a_forgotten_object_is_found_and_a_label_that_is_right_stays(
    at_the_window: Callable[..., int], samples: Path
) -> None:
    name = sorted(path.name for path in samples.glob("*.jpg"))[0]

    def accept_all_but_the_surest(person: Person) -> None:
        """The model's surest proposal is forgotten: so it must be sure of it again."""
        person.see(name)
        person.do("predict.run")
        person.wait(lambda: person.instances, LONG)
        person.window.proposals.set_score(0.5)
        surest = sorted(person.window.editor.visible, key=lambda one: -(one.score or 0))[:2]
        assert len(surest) == 2
        assert all((one.score or 0) > 0.75 for one in surest)
        for one in surest:
            person.window.editor.select([one.id])
            person.do("predict.reject")
        person.do("image.accept")
        person.saved()

    def first_day(person: Person) -> None:
        window, review, disputes = person.window, person.window.review, person.window.disputes
        quiet(person)
        accept_all_but_the_surest(person)
        window.media_list.sort_by(Sort.WORTH)
        person.do("review.next_worth")
        person.wait(lambda: person.shown not in ("", name))
        person.do("review.check")
        person.wait(lambda: not review.is_looking and review.mistakes, LONG)
        assert [one.path for one in review.mistakes] == [name]
        person.do("review.next_mistake")
        person.see(name)
        person.wait(lambda: disputes.current and not disputes.is_waiting, LONG)
        count, before = len(person.instances), len(disputes.all)
        assert {one.conflict.kind for one in disputes.all} == {ConflictKind.FORGOTTEN}
        assert before == 2
        assert window.editor.marks
        person.do("review.take")
        person.wait(lambda: len(disputes.all) == 1)
        assert len(person.instances) == count + 1
        assert all(one.provenance is Provenance.ACCEPTED for one in person.instances)
        person.do("review.keep")
        person.wait(lambda: not disputes.all and not review.mistakes)
        assert not window.editor.marks
        person.saved()

    def next_day(person: Person) -> None:
        review = person.window.review
        quiet(person)
        person.wait(lambda: person.window.editor.shown)
        person.do("review.check")
        person.wait(lambda: "agrees with the labels" in person.window.notices.note, LONG)
        assert review.mistakes == ()

    assert at_the_window([str(samples)], first_day) == 0
    assert at_the_window([str(samples)], next_day) == 0
