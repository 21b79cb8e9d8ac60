"""Somebody asks the real program why the model found what it found, and leaves again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QTreeWidgetItem

from engine.explanation import Explanation, Fate
from gui.dialogs.explain import ExplainDialog
from gui.layers import Step
from tests.gui.making import stored
from tests.journeys.person import Person


def test_that_a_person_sees_how_the_model_found_an_object_and_what_it_beat(
    at_the_window: Callable[..., int], samples: Path
) -> None:
    kept: dict[int, object] = {}

    def steps(person: Person) -> None:
        window = person.window
        person.wait(lambda: window.editor.visible, 120)
        person.saved()
        best = max(window.editor.visible, key=lambda one: one.score or 0)
        document = window.editor.document
        assert document is not None
        before = stored(samples, person.shown)
        window.editor.select([best.id])
        person.do("explain.show")
        (dialog,) = window.findChildren(ExplainDialog)
        panel, explaining = dialog.panel, dialog.explaining
        person.wait(lambda: explaining.shown, 120)

        def explanation_shown() -> Explanation | None:
            return explaining.shown.explanation if explaining.shown else None

        explanation = explanation_shown()
        assert explanation is not None
        scores = [one.score for one in document.instances]
        assert len(explanation.prediction) == len(scores)
        name = next(one.name for one in window.editor.classes if one.id == best.class_id)
        assert panel.told.text().startswith(f"{name} {best.score:.2f}: kept")
        for number in range(panel.steps.count()):
            panel.steps.setCurrentIndex(number)
            assert not panel.view.grab().isNull()
        panel.steps.setCurrentIndex([panel.steps.tabData(n) for n in range(5)].index(Step.SUPPRESSION))
        (rival, *_) = [
            item
            for n in range(panel.rivals.topLevelItemCount())
            if isinstance(item := panel.rivals.topLevelItem(n), QTreeWidgetItem)
        ]
        panel.rivals.itemActivated.emit(rival, 0)
        chosen = explaining.look.chosen
        assert chosen is not None
        assert explanation.second.contest.fates[chosen] == Fate.BEATEN
        assert "removed: overlaps" in panel.told.text()
        person.do("explain.show")
        assert len(window.findChildren(ExplainDialog)) == 1, "the open one comes to the front"
        person.do("image.next")
        person.wait(lambda: explanation_shown() not in (None, explanation), 120)
        dialog.close()
        kept.update(before)

    assert at_the_window([str(samples)], steps) == 0
    first = min(path.name for path in samples.glob("*.jpg"))
    assert kept
    assert stored(samples, first) == kept, "looking changes nothing"
