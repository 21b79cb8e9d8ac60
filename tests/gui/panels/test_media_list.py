"""The list of images: what it lists, in which order, and that it leads to the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt

from engine.document.records import ReviewState
from gui.desk import Desk
from gui.panels.media_filter import Sort, Standing
from gui.panels.media_list import MediaList
from gui.panels.surveyor import Surveyor
from tests.gui.making import picture
from tests.gui.panels.conftest import Place

Wait = Callable[..., None]


@pytest.fixture
def panel(place: Place) -> Iterator[MediaList]:
    made = MediaList(place.desk, place.surveyor)
    made.resize(280, 500)
    made.show()
    place.wait(lambda: place.editor.shown)
    yield made
    made.close()


def listed(panel: MediaList) -> list[str]:
    return [panel.model.item(row).path for row in range(panel.model.rowCount())]


def choose(panel: MediaList, standing: Standing | None) -> list[str]:
    panel.form.standing.setCurrentIndex(panel.form.standing.findData(standing))
    panel.list_anew()
    return listed(panel)


def test_that_every_image_is_listed_by_name(panel: MediaList) -> None:
    assert listed(panel) == ["a.png", "b.png", "c.png", "sub/d.png"]
    assert panel.summary.text() == "4 images, 1 reviewed"


def test_that_a_search_finds_names_folders_and_flags(panel: MediaList) -> None:
    for text, found in (("SUB", ["sub/d.png"]), ("dim", ["sub/d.png"]), ("c png", ["c.png"]), ("x", [])):
        panel.search.setText(text)
        panel.list_anew()
        assert listed(panel) == found
    assert panel.empty.text() == "No image fits the search and the filter."


def test_that_images_are_filtered_by_state(panel: MediaList, folder: Path) -> None:
    assert choose(panel, Standing.REVIEWED) == ["a.png"]
    assert choose(panel, Standing.PROPOSED) == ["b.png"]
    assert choose(panel, Standing.UNLABELLED) == ["c.png", "sub/d.png"]
    assert choose(panel, Standing.SKIPPED) == ["sub/d.png"]
    assert choose(panel, Standing.FLAGGED) == ["sub/d.png"]
    assert choose(panel, Standing.TO_LOOK_AT) == ["b.png", "c.png"]
    assert choose(panel, Standing.MISSING) == []
    panel.form.reset()
    panel.list_anew()
    assert len(listed(panel)) == 4


def test_that_images_are_filtered_by_class_score_and_count(panel: MediaList, place: Place) -> None:
    form = panel.form
    form.kind.setCurrentIndex(form.kind.findText("nut"))
    panel.list_anew()
    assert listed(panel) == ["b.png"]
    form.reset()
    form.score_from.setValue(0.1)
    form.score_to.setValue(0.3)
    panel.list_anew()
    assert listed(panel) == ["b.png"]  # below the slider, and found all the same
    form.reset()
    form.count_from.setValue(1)
    form.count_to.setValue(1)
    panel.list_anew()
    assert listed(panel) == ["a.png"]
    form.reset()
    form.count_to.setValue(0)
    panel.list_anew()
    assert listed(panel) == ["c.png", "sub/d.png"]


def test_that_the_most_uncertain_image_comes_first(panel: MediaList) -> None:
    panel.sort_by(Sort.UNCERTAINTY)
    assert listed(panel) == ["b.png", "a.png", "c.png", "sub/d.png"]


def test_that_the_desk_goes_through_the_images_as_they_are_listed(panel: MediaList, place: Place) -> None:
    panel.sort_by(Sort.UNCERTAINTY)
    place.show("b.png")
    place.desk.step(1)
    place.wait(lambda: place.editor.shown and place.editor.shown.item.path == "a.png")


def test_that_picking_a_row_shows_its_image_and_the_row_follows_the_image(
    panel: MediaList, place: Place
) -> None:
    panel.view.setCurrentIndex(panel.model.index(2))
    place.wait(lambda: place.editor.shown and place.editor.shown.item.path == "c.png")
    place.desk.step(-1)
    assert panel.view.currentIndex().row() == 1


def test_that_the_selection_stays_when_the_list_changes(panel: MediaList, place: Place) -> None:
    model = panel.view.selectionModel()
    flags = QItemSelectionModel.SelectionFlag
    model.select(panel.model.index(1), flags.ClearAndSelect)
    model.select(panel.model.index(3), flags.Select)
    chosen = [place.id_of("b.png"), place.id_of("sub/d.png")]
    assert panel.selected_ids() == list(place.desk.selected) == chosen
    panel.sort_by(Sort.COUNT)
    assert panel.selected_ids() == chosen
    place.desk.media_changed.emit()
    assert panel.selected_ids() == chosen
    panel.search.setText("png")
    panel.list_anew()
    assert panel.selected_ids() == chosen


def test_that_an_edit_is_counted_and_does_not_move_rows(panel: MediaList, place: Place) -> None:
    assert choose(panel, Standing.TO_LOOK_AT) == ["b.png", "c.png"]
    place.show("b.png")
    document = place.editor.document
    assert document is not None
    with place.editor.edit("Accept image"):
        document.accept_image([document.instances[0].id])
    assert place.desk.state_of(place.id_of("b.png")).review is ReviewState.REVIEWED
    place.settle()
    assert panel.model.counted(0) == "1 instance"
    assert listed(panel) == ["b.png", "c.png"]
    assert not panel.again.isHidden()
    panel.again.click()
    assert listed(panel) == ["c.png"]
    assert panel.again.isHidden()


def test_that_counts_follow_the_score_slider(panel: MediaList, place: Place) -> None:
    assert panel.model.counted(1) == "2 proposals"
    place.editor.see(replace(place.editor.sight, score=0.1))
    assert panel.model.counted(1) == "3 proposals"
    place.editor.see(replace(place.editor.sight, score=0.95))
    assert panel.model.counted(1) == "No proposals"
    assert panel.model.counted(2) == "", "nobody has looked for any"


def test_that_rows_tell_all_they_show_in_words(panel: MediaList) -> None:
    told = panel.model.data(panel.model.index(3), Qt.ItemDataRole.AccessibleTextRole)
    assert told == "sub/d.png\nUnlabelled\nPut off for later\nFlags: dim"


def test_that_thumbnails_of_the_visible_rows_come(panel: MediaList, place: Place) -> None:
    ids = [item.id for item in place.desk.media]
    place.wait(lambda: all(panel._thumbnails.get(id_) for id_ in ids))
    found = panel._thumbnails.get(ids[0])
    assert found is not None
    assert (found.width(), found.height()) == (64, 43)


def test_that_a_file_that_was_replaced_gets_another_thumbnail(
    panel: MediaList, place: Place, folder: Path
) -> None:
    media_id = place.id_of("a.png")
    place.wait(lambda: panel._thumbnails.get(media_id))
    before = panel._thumbnails.get(media_id)
    assert before is not None
    place.project.ensure_hash(media_id)
    place.desk.refresh()
    place.wait(lambda: place.desk.item(media_id).content_hash)
    picture(folder / "a.png", 250)
    place.desk.refresh()

    def corner() -> int:
        found = panel._thumbnails.get(media_id)
        return found.toImage().pixelColor(1, 1).red() if found else 0

    place.wait(lambda: corner() == 250)


def test_that_an_empty_list_says_what_to_do(empty_desk: Desk, tmp_path: Path, wait: Wait) -> None:
    panel = MediaList(empty_desk, Surveyor(empty_desk))
    assert panel.empty.text() == "Open a folder of pictures, or drop one here."
    (tmp_path / "none").mkdir()
    empty_desk.open([tmp_path / "none"])
    wait(lambda: empty_desk.project)
    wait(lambda: panel.empty.text() == "There are no pictures in this folder.")
    panel.close()
