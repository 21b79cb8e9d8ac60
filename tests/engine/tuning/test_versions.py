"""The list of versions and what can be done with them, on cards alone: the weights here are no weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ModelError
from engine.models.card import (
    Json,
    ModelCard,
    ModelVersion,
    card_path_of,
    read_version,
    sha256_of,
    write_card,
)
from engine.models.spec import NetworkSpec
from engine.models.store import ModelStore
from engine.project import Project
from engine.train.verdict import Accept, Decision, ModelFigures, Verdict
from engine.tuning.versions import (
    annotate,
    compare,
    curve,
    delete,
    export,
    rename,
    version,
    versions,
)


def a_version(root: Path, name: str, *, day: int, parent: str | None = None, ap: float | None = None) -> None:
    """A card with a file of bytes beside it."""
    root.mkdir(parents=True, exist_ok=True)
    weights = root / f"{name}.safetensors"
    weights.write_bytes(b"weights of " + name.encode())
    training: dict[str, Json] = {"steps": 10 * day, "data": "cells", "images": day, "recipe": {"batch": day}}
    if ap is not None:
        figures = ModelFigures(name, ap, ap / 2, {"nut": ap}, 1, 2, 0)
        old = replace(figures, name="base", ap=0.1)
        verdict = Verdict(
            Decision.ACTIVATED, Accept.BETTER, name, "base", 7, 30, old, figures, ap - 0.1, 0.01, 0.2
        )
        training |= {"gate": verdict.to_json(), "base": parent, "instances": 30}
    card = ModelCard(
        name,
        NetworkSpec("maskrcnn_resnet18_slim_fpn", 1, min_size=320),
        ("nut",),
        created=f"2026-01-{day:02}T00:00:00+00:00",
        parent=f"{parent} abcdef0123456789" if parent else None,
        training=training,
        metrics={"val_ap": ap} if ap is not None else {},
        sha256=sha256_of(weights),
    )
    # The card itself writes the hash it is given: that of the weights it lies beside.
    write_card(ModelVersion(weights, card), card)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    root = tmp_path / "models"
    a_version(root, "base", day=1)
    a_version(root, "cells-1", day=2, parent="base", ap=0.3)
    a_version(root, "cells-2", day=3, parent="base", ap=0.4)
    return ModelStore(root, bundled=tmp_path / "none")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "cells"
    folder.mkdir()
    opened = Project.open(folder)
    opened.activate_model("cells-1")
    opened.activate_model("cells-2")
    return opened


def test_that_the_list_tells_parents_figures_and_which_is_active(store: ModelStore, project: Project) -> None:
    with project:
        listed = versions(store, project)
    assert [one.name for one in listed] == ["cells-2", "cells-1", "base"]
    newest, _, oldest = listed
    assert (newest.is_active, newest.parent, newest.ap, newest.held_out) == (True, "base", 0.4, 7)
    assert (newest.images, newest.instances, newest.project, newest.side) == (3, 30, "cells", 320)
    assert newest.decision is Decision.ACTIVATED
    assert (oldest.parent, oldest.ap, oldest.verdict) == ("", None, None)


def test_that_the_curve_is_of_the_measured_versions_of_one_project(store: ModelStore) -> None:
    assert [(one.name, one.ap) for one in curve(store, "cells")] == [("cells-1", 0.3), ("cells-2", 0.4)]
    assert curve(store, "others") == ()


def test_that_a_damaged_version_is_listed_with_its_problem(store: ModelStore) -> None:
    (store.root / "cells-1.json").write_text("{", encoding="utf-8")
    damaged = version(store, "cells-1")
    assert "not valid JSON" in damaged.problem


def test_that_two_versions_are_compared_by_their_cards(store: ModelStore) -> None:
    compared = compare(store, "cells-1", "cells-2")
    assert compared.settings["recipe: batch"] == (2, 3)
    assert compared.figures["val_ap"] == (0.3, 0.4)
    assert "architecture" not in compared.settings
    assert compared.only_first == ()


def test_that_notes_are_kept_in_the_card(store: ModelStore) -> None:
    annotate(store, "cells-1", "the one for the fair\nkeep it")
    assert version(store, "cells-1").notes == "the one for the fair\nkeep it"
    assert version(store, "cells-1").ap == 0.3


def test_that_a_renamed_version_is_followed_by_its_children_and_its_project(
    store: ModelStore, project: Project
) -> None:
    with project:
        rename(store, "base", "root", project)
        rename(store, "cells-2", "best", project)
        assert project.active_model().name == "best"
        assert [one.name for one in versions(store, project)] == ["best", "cells-1", "root"]
    assert version(store, "cells-1").parent == "root"
    card = read_version(store.root / "best.safetensors").card
    assert (card.name, card.training["base"]) == ("best", "root")
    assert sha256_of(store.root / "best.safetensors") == card.sha256
    assert not (store.root / "base.json").exists()


@pytest.mark.parametrize(
    ("to", "told"), [("cells-2", "exists already"), ("CELLS-2", "exists already"), ("a/b", "cannot be")]
)
def test_that_a_name_that_cannot_be_is_refused(store: ModelStore, to: str, told: str) -> None:
    before = {path.name for path in store.root.iterdir()}
    with pytest.raises(ModelError, match=told):
        rename(store, "cells-1", to)
    assert {path.name for path in store.root.iterdir()} == before


def test_that_a_rename_that_fails_leaves_the_old_name(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelError, match="No space left"):
        rename(store, "cells-1", "other")
    assert version(store, "cells-1").problem == ""
    assert not card_path_of(store.root / "other.safetensors").exists()


def test_that_an_exported_version_is_whole(store: ModelStore, tmp_path: Path) -> None:
    copy = export(store, "cells-1", tmp_path / "out")
    assert read_version(copy).card == store.resolve("cells-1").card
    assert copy.read_bytes() == (store.root / "cells-1.safetensors").read_bytes()
    with pytest.raises(ModelError, match="there already"):
        export(store, "cells-1", tmp_path / "out")


def test_that_a_damaged_version_is_not_exported(store: ModelStore, tmp_path: Path) -> None:
    (store.root / "cells-1.safetensors").write_bytes(b"something else")
    with pytest.raises(ModelError, match="damaged"):
        export(store, "cells-1", tmp_path / "out")
    assert list((tmp_path / "out").glob("*")) == []


def test_that_the_active_version_is_not_deleted_and_others_are(store: ModelStore, project: Project) -> None:
    with project:
        with pytest.raises(ModelError, match="active"):
            delete(store, "cells-2", project)
        delete(store, "cells-1", project)
        assert [one.name for one in versions(store, project)] == ["cells-2", "base"]
