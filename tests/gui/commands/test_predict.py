"""What a person makes of proposals: accept or reject, each one edit, and on to the next best."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.document.records import Provenance
from gui.commands import load_all
from tests.gui.drive import TestEditor
from tests.gui.making import drawn, proposal

load_all()

WORST, BEST, MIDDLE = (
    replace(proposal(1, score=score), id=n) for n, score in ((1, 0.55), (2, 0.9), (3, 0.6))
)
OWN = replace(drawn(1), id=4)


@pytest.fixture
def test() -> TestEditor:
    return TestEditor(WORST, BEST, MIDDLE, OWN)


def test_that_an_accepted_proposal_is_a_persons_and_the_next_best_is_selected(test: TestEditor) -> None:
    test.editor.select([BEST.id, OWN.id])
    test.run("predict.accept")
    assert test.document.instance(BEST.id).provenance is Provenance.ACCEPTED
    assert test.document.instance(OWN.id) == OWN
    assert (test.names, test.selection) == (["Accept"], [MIDDLE.id])


def test_that_rejected_proposals_go_in_one_edit_and_what_was_drawn_stays(test: TestEditor) -> None:
    test.editor.select([BEST.id, MIDDLE.id, OWN.id])
    test.run("predict.reject")
    assert [one.id for one in test.document.instances] == [WORST.id, OWN.id]
    assert (test.names, test.selection) == (["Reject"], [WORST.id])


def test_that_nothing_is_settled_where_no_proposal_is_selected(test: TestEditor) -> None:
    test.editor.select([OWN.id])
    test.run("predict.accept").run("predict.reject")
    assert test.names == []
    assert len(test.document.instances) == 4
