"""The report folder: what it shows, that no name is obeyed, and that it is whole or not there."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.document.masks import Mask
from engine.document.records import ClassDef, IgnoreRegion, Instance
from engine.errors import DataError, MediaError
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.models.card import ModelCard, ModelVersion
from engine.models.spec import NetworkSpec
from engine.train.evaluate import assess
from engine.train.report import Measurement, check_writable, write_comparison, write_report
from engine.train.report.html import VOID, el, table
from engine.train.report.pictures import Painter, Rgb
from engine.train.report.words import advice, percent

HOSTILE = "<script>alert(\"1\")</script> & '$x_1$'"
BOLT, NUT = ClassDef(5, "bolt", "#ff0000"), ClassDef(2, HOSTILE, "#00ff00")
FILES = ("report.html", "metrics.json", "precision_recall.png", "confusion.png")


class Page(HTMLParser):
    """A page taken apart; fails on elements that are not closed in turn."""

    def __init__(self, file: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.leads_to: list[str] = []
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.leads_to += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} " if self.open[-1:] != ["style"] else ""


def square(x: int, y: int, side: int = 20) -> Mask:
    return Mask.from_crop(x, y, np.ones((side, side), np.bool_))


def true(mask: Mask, cls: ClassDef = BOLT) -> Instance:
    return Instance(1, cls.id, mask)


def found(score: float, mask: Mask, cls: ClassDef = BOLT) -> Instance:
    return Instance(1, cls.id, mask, mask.box_xyxy, score=score)


def measurement(truth: LabelledSet, detections: list[list[Instance]], name: str = "model") -> Measurement:
    spec = NetworkSpec("maskrcnn_resnet18_slim_fpn", len(truth.classes))
    card = ModelCard(name, spec, truth.class_names, sha256="ab" * 32)
    return Measurement(ModelVersion(Path(f"{name}.safetensors"), card), assess(truth, detections))


@pytest.fixture
def truth(tmp_path: Path) -> LabelledSet:
    """Three grey pictures: two instances, one instance, none."""
    names = ("a & b.png", "größe <b>.png" if sys.platform != "win32" else "größe.png", "empty.png")
    for name in names:
        _, png = cv2.imencode(".png", np.full((80, 120, 3), 128, np.uint8))
        (tmp_path / name).write_bytes(png.tobytes())
    instances = ((true(square(10, 10)), true(square(60, 10), NUT)), (true(square(30, 30)),), ())
    images = (LabelledImage(tmp_path / n, 120, 80, own) for n, own in zip(names, instances, strict=True))
    return LabelledSet((BOLT, NUT), tuple(images))


@pytest.fixture
def detections() -> list[list[Instance]]:
    """On the first image one right and one of the wrong class; an unsure one; on the third an extra one."""
    first = [found(0.9, square(10, 10)), found(0.8, square(60, 10))]
    return [first, [found(0.3, square(30, 30))], [found(0.7, square(0, 0))]]


def test_that_a_report_says_in_words_and_tables_what_was_found(
    truth: LabelledSet, detections: list[list[Instance]], tmp_path: Path
) -> None:
    file = write_report(tmp_path / "out" / "report", truth, measurement(truth, detections))
    assert file == tmp_path / "out" / "report" / "report.html"
    assert sorted(f.name for f in file.parent.iterdir()) == sorted(
        [*FILES, "image_01.png", "image_02.png", "image_03.png"]
    )
    page = Page(file)
    assert "Finds 33 % of the objects; 33 % of what it finds is right." in " ".join(page.text.split())
    assert "3 objects of 2 classes in 3 images" in page.text
    assert "1 missed, 1 extra, 1 taken for another class" in page.text
    assert "A good threshold for this model is 0.16" in page.text
    figures = json.loads((file.parent / "metrics.json").read_text(encoding="utf-8"))
    assert figures["confusion"] == {
        "true": ["bolt", HOSTILE, "nothing"],
        "found": ["bolt", HOSTILE, "missed"],
        "counts": [[1, 0, 1], [1, 0, 0], [1, 0, 0]],
    }
    assert figures["at_threshold"]["f1"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["best_threshold"]["recall"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["per_class"]["bolt"]["instances"] == 2
    assert figures["instances_by_size"] == {"small": 3, "medium": 0, "large": 0}
    # AP 0.5 with a nut taken for a bolt, as bad as one object where there is none; then what was unsure.
    worst = [truth.images[n].path.name for n in (0, 2, 1)]
    assert figures["worst_images"] == worst
    assert sorted(worst, key=page.text.index) == worst


def test_that_a_page_obeys_no_name_needs_no_network_and_runs_no_script(
    truth: LabelledSet, detections: list[list[Instance]], tmp_path: Path
) -> None:
    folder = write_report(tmp_path / "r", truth, measurement(truth, detections)).parent
    compared = write_comparison(
        tmp_path / "c",
        truth,
        before=measurement(truth, [[], [], []], "old"),
        after=measurement(truth, detections, "new"),
    ).parent
    for page in (Page(folder / "report.html"), Page(compared / "report.html")):
        assert not {"script", "b>", "link", "iframe"} & set(page.tags)
        assert HOSTILE in page.text
        assert truth.images[1].path.name in page.text
        for target in page.leads_to:
            assert target.startswith("data:image/") or (folder / target).is_file()
    assert "matplotlib.pyplot" not in sys.modules  # it would keep every figure


def test_that_a_name_of_any_script_or_form_is_drawn_without_a_warning(
    truth: LabelledSet, detections: list[list[Instance]], tmp_path: Path
) -> None:
    names = ("_hidden", "$\\frac{$")
    renamed = dataclasses.replace(
        truth,
        classes=tuple(
            dataclasses.replace(c, name=n) for c, n in zip(truth.classes, ("བོད 日本", names[1]), strict=True)
        ),
    )
    write_report(tmp_path / "r", renamed, measurement(renamed, detections))
    first = dataclasses.replace(BOLT, name=names[0])
    renamed = dataclasses.replace(truth, classes=(first, NUT))
    write_report(tmp_path / "r", renamed, measurement(renamed, detections))


def test_that_a_report_that_fails_half_way_leaves_the_folder_as_it_was(
    truth: LabelledSet, detections: list[list[Instance]], tmp_path: Path
) -> None:
    folder = tmp_path / "r"
    write_report(folder, truth, measurement(truth, detections))
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    truth.images[1].path.unlink()
    for target in (folder, tmp_path / "new"):
        with pytest.raises(MediaError):
            write_report(target, truth, measurement(truth, [[], [], []]))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert not (tmp_path / "new").exists()


def test_that_a_new_report_replaces_the_old_one_and_nothing_else(
    truth: LabelledSet, detections: list[list[Instance]], tmp_path: Path
) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "image_03.png").write_bytes(b"a picture of my own")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    one = truth.with_images(truth.images[:1])
    write_report(folder, one, measurement(one, detections[:1]))
    assert (folder / "image_03.png").read_bytes() == b"a picture of my own"  # no report wrote it
    write_report(folder, truth, measurement(truth, detections))
    check_writable(folder)
    assert len(list(folder.glob("image_*.png"))) == 3
    write_report(folder, one, measurement(one, detections[:1]))
    assert [file.name for file in folder.glob("image_*.png")] == ["image_01.png"]
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_that_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="The report cannot be written to"):
        check_writable(tmp_path / "file" / "report")
    check_writable(tmp_path / "report")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("case", ["nothing found", "nothing there", "neither", "boxes alone"])
def test_that_there_is_a_report_where_there_is_little_to_tell(
    case: str, truth: LabelledSet, detections: list[list[Instance]], tmp_path: Path
) -> None:
    if case in ("nothing there", "neither"):
        truth = truth.with_images(tuple(dataclasses.replace(i, instances=()) for i in truth.images))
    if case in ("nothing found", "neither"):
        detections = [[], [], []]
    if case == "boxes alone":
        boxes = [
            tuple(dataclasses.replace(o, mask=None, box_xyxy=o.bounds_xyxy) for o in i.instances)
            for i in truth.images
        ]
        images = (dataclasses.replace(i, instances=b) for i, b in zip(truth.images, boxes, strict=True))
        truth = truth.with_images(tuple(images))
    said = {
        "nothing found": "Finds none of the 3 objects.",
        "nothing there": "There is nothing to find here; it finds 3 objects all the same.",
        "neither": "There is nothing to find here, and it finds nothing.",
        "boxes alone": "Box AP50",
    }
    measured = measurement(truth, detections)
    page = Page(write_report(tmp_path / "r", truth, measured))
    assert said[case] in " ".join(page.text.split())
    Page(write_comparison(tmp_path / "c", truth, before=measured, after=measured))


def test_that_a_comparison_says_what_got_better_and_what_worse(truth: LabelledSet, tmp_path: Path) -> None:
    perfect = [[found(0.9, one.mask or square(0, 0), BOLT if one.class_id == BOLT.id else NUT)
                for one in image.instances] for image in truth.images]  # fmt: skip
    before = measurement(truth, [perfect[0], [], []], "old")
    after = measurement(truth, [perfect[0][:1], perfect[1], []], "new")
    file = write_comparison(tmp_path / "c", truth, before=before, after=after)
    page = Page(file)
    text = " ".join(page.text.split())
    assert "old → new" in text
    assert "Finds 67 % → 67 % of the objects; 100 % → 100 % of what it finds is right." in text
    figures = json.loads((file.parent / "metrics.json").read_text(encoding="utf-8"))
    old, new = before.evaluation.scores.per_class, after.evaluation.scores.per_class
    assert [one["bolt"]["mask_ap"] for one in (old, new)] == pytest.approx([0.5, 1.0], abs=0.01)
    assert figures["model"] == "new"
    assert figures["before"]["model"] == "old"
    change = figures["metrics"]["mask_ap"] - figures["before"]["metrics"]["mask_ap"]
    assert figures["difference"]["mask_ap"] == pytest.approx(change, abs=2e-4)
    # The second image went from nothing to all, the first from all to half, the third stayed.
    shown = [text.index(image.path.name) for image in truth.images]
    assert shown[1] < shown[0] < shown[2]
    wide = cv2.imread(str(file.parent / "image_01.png"))
    assert wide is not None
    assert wide.shape[1] == 3 * 600 + 2 * 10  # truth, before and after, blown up five times


def test_that_each_instance_has_the_colour_of_its_fate(
    truth: LabelledSet, detections: list[list[Instance]]
) -> None:
    image = dataclasses.replace(truth.images[0], ignore=(IgnoreRegion(9, square(90, 40)),))
    one = truth.with_images((image,))
    drawn_on = [
        *detections[0],
        found(0.6, square(10, 50)),
        found(0.95, square(90, 40)),
        found(0.2, square(60, 50)),
    ]
    matches = assess(one, [drawn_on]).matches.images[0]
    painter = Painter(image, one.classes)

    def middle(panel: Rgb, mask: Mask) -> tuple[int, ...]:
        times = panel.shape[1] // 120
        return tuple(int(v) for v in panel[times * (mask.y + 12), times * (mask.x + 12)])

    def close(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        return max(abs(x - y) for x, y in zip(a, b, strict=True)) < 12

    shown = painter.found(drawn_on, matches, 0.5)
    assert close(middle(shown, square(10, 10)), (70, 141, 122))
    assert close(middle(shown, square(60, 10)), (162, 125, 145))
    assert close(middle(shown, square(10, 50)), (174, 142, 70))
    assert close(middle(shown, square(90, 40)), (140, 140, 140))
    assert close(middle(shown, square(60, 50)), (128, 128, 128))  # below the threshold
    there = painter.truth(matches, 0.85)
    assert close(middle(there, square(10, 10)), (70, 141, 122))
    assert close(middle(there, square(60, 10)), (166, 113, 70))  # missed there, confused at 0.5
    assert close(middle(painter.truth(matches, 0.5), square(60, 10)), (162, 125, 145))


def test_that_names_do_not_cover_a_crowded_image(truth: LabelledSet) -> None:
    cells = [square(12 * n % 120, 12 * (12 * n // 120), 6) for n in range(40)]
    image = dataclasses.replace(truth.images[0], instances=tuple(true(mask) for mask in cells))
    one = truth.with_images((image,))
    painter = Painter(image, one.classes)

    def drawn(right: int) -> int:
        """Pixels of the plain grey that names and masks leave free, with that many found."""
        matches = assess(one, [[found(0.9, mask) for mask in cells[:right]]]).matches.images[0]
        return int((painter.truth(matches, 0.5) == 128).all(axis=2).sum())

    assert drawn(40) == drawn(0)  # all right or all missed: the colour says so
    assert drawn(30) < drawn(40) - 1000  # ten are missed, and named


def test_that_percent_is_all_or_nothing_only_where_it_is() -> None:
    shares = (None, 0.0, 0.001, 0.5, 0.998, 1.0)
    assert [percent(share) for share in shares] == ["–", "0 %", "1 %", "50 %", "99 %", "100 %"]


def test_that_no_other_threshold_is_proposed_where_it_gains_nothing(truth: LabelledSet) -> None:
    perfect = [[found(0.9, one.mask or square(0, 0), BOLT if one.class_id == BOLT.id else NUT)
                for one in image.instances] for image in truth.images]  # fmt: skip
    matches = assess(truth, perfect).matches
    assert advice(matches, matches.at(0.5)) == "The threshold 0.50 suits this model."
    assert "is 0.46: there it finds 100 %" in advice(matches, matches.at(0.95))
    nothing = assess(truth, [[], [], []]).matches
    assert advice(nothing, nothing.at(0.5)) == ""


def test_that_elements_escape_text_and_attributes_but_not_each_other() -> None:
    assert el("p", "<b>", el("b", "&"), title='"') == '<p title="&quot;">&lt;b&gt;<b>&amp;</b></p>'
    assert "<td>&lt;i&gt;</td>" in table(("a", "b"), [("x", "<i>")])


def test_that_matplotlib_is_not_imported_before_a_report_is_written() -> None:
    script = "import engine.cli.evaluating, sys; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("False", "")
