"""What a fine-tuning would do, told before the click: counts, choices, warnings, time. No model is run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.document.records import Instance, Provenance, ReviewState, new_id
from engine.errors import DataError
from engine.media.likeness import likeness
from engine.messages import FineTune, Preparing
from engine.models.card import Json, ModelCard, ModelVersion, sha256_of, write_card
from engine.models.spec import NetworkSpec
from engine.models.store import ModelStore
from engine.project import Project
from engine.train.order import TrainOrder
from engine.train.sources import load_for_tuning
from engine.tuning import pace
from engine.tuning.description import time_in_words
from engine.tuning.planning import describe, next_name, order_of, root_of
from engine.tuning.preparing import prepare
from engine.tuning.stopped import forget, note, stopped_run
from tests.engine.tuning.making import review, reviewed_project

SLIM = "maskrcnn_resnet18_slim_fpn"


def a_model(
    root: Path, name: str, *, base: str | None = None, side: int = 384, classes: str = "disc"
) -> None:
    root.mkdir(parents=True, exist_ok=True)
    weights = root / f"{name}.safetensors"
    weights.write_bytes(name.encode())
    training: dict[str, Json] = {} if base is None else {"base": base, "gate": {}}
    names = tuple(classes.split(","))
    spec = NetworkSpec(SLIM, len(names), min_size=side, max_size=2 * side)
    card = ModelCard(name, spec, names, training=training, sha256=sha256_of(weights))
    write_card(ModelVersion(weights, card), card)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    a_model(tmp_path / "models", "base")
    return ModelStore(tmp_path / "models", bundled=tmp_path / "none")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder = reviewed_project(tmp_path / "discs", 8, unseen=2)
    with Project.open(folder) as opened:
        yield opened


def request_of(project: Project, **changes: object) -> FineTune:
    return replace(FineTune(project.folder, against="base"), **changes)  # type: ignore[arg-type]


def test_that_the_line_says_what_is_learned_from(project: Project, store: ModelStore) -> None:
    empty = next(item for item in project.media() if item.path == "toy8.png")
    review(project, empty.id, [])
    told = describe(request_of(project), project, store)
    assert (told.images, told.instances, told.classes, told.empty) == (9, 16, (("disc", 16),), 1)
    assert told.summary.startswith("9 reviewed images, 16 instances, 1 class, 1 confirmed empty; about ")
    assert told.summary.endswith(" on this machine")
    assert (told.base, told.against, told.name) == ("base", "base", "discs-1")
    assert told.held_out == 2
    assert any("9 reviewed images" in warning for warning in told.warnings)


def test_that_images_are_assigned_once_and_split_as_assigned(project: Project, store: ModelStore) -> None:
    assert [news.total for news in prepare(project, 0.25)] == [8] * 8
    assert list(prepare(project, 0.25)) == []
    sides = project.held_out()
    learned, measured = load_for_tuning(project.folder)
    names = {item.id: item.path for item in project.media()}
    assert {image.path.name for image in measured.images} == {names[id_] for id_ in sides if sides[id_]}
    assert len(learned.images) + len(measured.images) == 8
    assert measured.images
    assert describe(request_of(project), project, store).held_out == len(measured.images)


def test_that_preparing_can_be_left_and_goes_on(project: Project) -> None:
    preparing = prepare(project, 0.25)
    assert next(preparing) == Preparing(1, 8)
    preparing.close()  # type: ignore[attr-defined]
    assert len(list(prepare(project, 0.25))) == 8
    assert len(project.held_out()) == 8


def test_that_unlooked_at_proposals_and_other_classes_are_neither_objects_nor_background(
    project: Project,
) -> None:
    item = project.media()[0]
    cup = project.ensure_class("cup")
    document = project.load(item.id)
    mask = document.instances[0].mask
    extra = [
        Instance(new_id(), document.instances[0].class_id, mask, score=0.8, provenance=Provenance.PREDICTED),
        Instance(
            new_id(), document.instances[0].class_id, None, (1.0, 2.0, 9.0, 12.0), 0.8, Provenance.PREDICTED
        ),
        Instance(new_id(), cup.id, mask, provenance=Provenance.IMPORTED),
    ]
    review(project, item.id, extra)
    list(prepare(project, 0.25))
    whole = [image for part in load_for_tuning(project.folder) for image in part.images]
    (image,) = (one for one in whole if one.path.name == item.path)
    by = sorted(one.provenance.value for one in image.instances)
    assert by == ["drawn", "drawn", "imported"]
    assert len(image.ignore) == 2
    assert sorted(region.mask.area for region in image.ignore)[0] == 8 * 10
    learned, measured = load_for_tuning(project.folder, ["disc"])
    assert learned.class_names == measured.class_names == ("disc",)
    (image,) = (i for part in (learned, measured) for i in part.images if i.path.name == item.path)
    assert (len(image.instances), len(image.ignore)) == (2, 3)
    with pytest.raises(DataError, match="no class 'saucer'"):
        load_for_tuning(project.folder, ["saucer"])


def test_that_a_changed_or_missing_image_is_left_out_and_counted(project: Project, store: ModelStore) -> None:
    for item in project.media():
        project.ensure_hash(item.id)
    (project.folder / "toy1.png").unlink()
    (project.folder / "toy2.png").write_bytes((project.folder / "toy3.png").read_bytes() + b"more")
    project.refresh()
    told = describe(request_of(project), project, store)
    assert (told.images, told.left_out) == (6, 2)


def test_that_the_base_is_where_the_one_in_use_came_from(project: Project, store: ModelStore) -> None:
    a_model(store.root, "discs-1", base="base")
    a_model(store.root, "discs-2", base="discs-1")
    project.activate_model("discs-2")
    told = describe(FineTune(project.folder), project, store)
    assert (told.base, told.against, told.name) == ("base", "discs-2", "discs-3")
    assert describe(FineTune(project.folder, continue_active=True), project, store).base == "discs-2"
    assert describe(FineTune(project.folder, base="discs-1"), project, store).base == "discs-1"
    store.remove("base")
    assert root_of("discs-2", store) == "discs-1"


def test_that_a_base_is_not_taught_at_a_smaller_side_than_its_own(
    project: Project, store: ModelStore
) -> None:
    assert describe(request_of(project), project, store).side == 384
    a_model(store.root, "large", side=800)  # more than a CPU can afford: the data decides
    assert describe(request_of(project, base="large", device="cpu"), project, store).side < 512
    assert describe(request_of(project, side=128), project, store).side == 128


def test_that_a_class_that_would_be_forgotten_is_told(project: Project, store: ModelStore) -> None:
    project.ensure_class("cup")
    a_model(store.root, "both", classes="disc,cup")
    told = describe(request_of(project, against="both"), project, store)
    assert any("will not know 'cup'" in warning for warning in told.warnings)
    assert not any(
        "will not know" in warning for warning in describe(request_of(project), project, store).warnings
    )


def test_that_nothing_to_learn_from_is_a_sentence(tmp_path: Path, store: ModelStore) -> None:
    folder = reviewed_project(tmp_path / "none", 0, unseen=2)
    with Project.open(folder) as project:
        with pytest.raises(DataError, match="No image is reviewed yet"):
            describe(request_of(project), project, store)
        review(project, project.media()[0].id, [])
        assert project.load(project.media()[0].id).state.review is ReviewState.REVIEWED
        with pytest.raises(DataError, match="1 image is reviewed, but no object"):
            describe(request_of(project), project, store)


def test_that_the_time_is_guessed_once_and_then_remembered(project: Project, store: ModelStore) -> None:
    request = request_of(project, iterations=100, device="cpu", side=320)
    guess = describe(request, project, store)
    assert not guess.measured
    pace.remember(store.root, device="cpu", architecture=SLIM, side=320, seconds_a_picture=1.0)
    known = describe(request, project, store)
    assert known.measured
    assert known.seconds == pytest.approx(100 * known.batch, rel=0.1)
    half = describe(replace(request, side=160), project, store)
    assert half.seconds < known.seconds / 3
    (store.root / "pace.json").write_text("{", encoding="utf-8")
    assert not describe(request, project, store).measured


def test_that_what_a_click_may_take_bounds_the_steps_and_the_data_the_rest(
    project: Project, store: ModelStore
) -> None:
    pace.remember(store.root, device="cpu", architecture=SLIM, side=384, seconds_a_picture=0.001)
    assert describe(request_of(project, device="cpu"), project, store).iterations == 300
    pace.remember(store.root, device="cpu", architecture=SLIM, side=384, seconds_a_picture=2.0)
    slow = describe(request_of(project, device="cpu"), project, store)
    assert slow.iterations is not None
    assert slow.iterations < 200
    assert slow.seconds <= 610


def test_that_few_images_leave_more_of_the_body_as_it_is(project: Project, store: ModelStore) -> None:
    assert describe(request_of(project), project, store).frozen_stages == 3
    assert describe(request_of(project, frozen_stages=0), project, store).frozen_stages == 0


def test_that_every_choice_is_in_the_order(project: Project, store: ModelStore) -> None:
    request = request_of(project, seed=4, notes="n", recipe={"batch": 3})
    told = describe(request, project, store)
    order = order_of(request, told, store)
    assert (order.gate, order.base, order.against, order.name) == (True, "base", "base", "discs-1")
    assert (order.side, order.iterations, order.seed) == (told.side, told.iterations, 4)
    assert order.recipe == {"batch": 3, "frozen_stages": told.frozen_stages}
    assert TrainOrder.from_json(order.to_json()) == order
    fresh = replace(told, base=SLIM)  # without weights nothing may be frozen
    assert order_of(replace(request, recipe={}), fresh, store).recipe == {}


def test_that_a_stopped_run_is_found_by_its_project_until_it_is_forgotten(
    project: Project, store: ModelStore, tmp_path: Path
) -> None:
    order = TrainOrder(project.folder, name="discs-1", gate=True)
    note(store.root, order)
    assert stopped_run(store.root, project.folder) is None  # nothing that it could go on from
    (store.root / "training" / "discs-1.restart").write_bytes(b"x")
    note(store.root, order, 40)
    found = stopped_run(store.root, project.folder)
    assert found is not None
    assert (found.order, found.step) == (replace(order, resume=True), 40)
    assert stopped_run(store.root, tmp_path) is None
    assert describe(request_of(project), project, store).resumable == 40
    forget(store.root, "discs-1")
    assert stopped_run(store.root, project.folder) is None
    assert list((store.root / "training").iterdir()) == []


def test_that_names_are_free_ones(store: ModelStore, tmp_path: Path) -> None:
    a_model(store.root, "My-cells-1")
    assert next_name(tmp_path / "my cells", store) == "my-cells-2"


def test_that_a_copy_at_another_size_looks_alike_and_another_picture_does_not() -> None:
    import cv2

    from engine.media.likeness import ALIKE, distances

    chance = np.random.default_rng(0)
    one, other = (
        cv2.resize(chance.integers(0, 255, (12, 16, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
        for _ in range(2)
    )
    small = np.asarray(cv2.resize(one, (150, 110), interpolation=cv2.INTER_AREA), np.uint8)
    brighter = np.clip(np.asarray(one, np.int16) + 20, 0, 255).astype(np.uint8)
    near = distances(
        likeness(np.asarray(one)), [likeness(small), likeness(brighter), likeness(np.asarray(other))]
    )
    assert near[0] <= ALIKE
    assert near[1] <= ALIKE
    assert near[2] > ALIKE


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "10 seconds"), (62, "60 seconds"), (240, "4 minutes"), (7300, "2.0 hours")]
)
def test_that_a_time_is_said_as_a_person_would(seconds: float, words: str) -> None:
    assert time_in_words(seconds) == words
