"""The model store: list, resolve, import, download, remove."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torchvision.models.detection import FasterRCNN

from engine.errors import ModelError
from engine.models.card import card_to_json
from engine.models.coco import CATALOGUE, EntrySource
from engine.models.download import Patience
from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.models.store import ModelState, ModelStore, default_store
from engine.models.version import ModelCard, ModelVersion, load_network, save_version

from .conftest import TINY
from .published import Published
from .server import FileServer
from .test_version import same_weights

OFFICIAL = tuple(CATALOGUE)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", bundled=tmp_path / "bundled")


@pytest.fixture
def weights(tmp_path: Path, network: FasterRCNN) -> Path:
    """The tiny network's bare weights, as somebody else may have saved them."""
    path = tmp_path / "theirs.pth"
    torch.save({"model": network.state_dict()}, path)
    return path


# --- listing and resolving


def test_that_a_new_store_lists_what_can_be_downloaded(store: ModelStore) -> None:
    assert [(m.name, m.state) for m in store.list()] == [(n, ModelState.AVAILABLE) for n in sorted(OFFICIAL)]
    assert not store.root.exists()


def test_that_models_are_listed_by_name_with_their_state(
    store: ModelStore, tmp_path: Path, network: FasterRCNN, card: ModelCard
) -> None:
    save_version(tmp_path / "bundled", "starter", network, card)
    save_version(store.root, "Aphids", network, card)
    save_version(store.root, "maskrcnn_resnet50_fpn", network, card)
    (store.root / "zz.safetensors").write_bytes(b"no card")
    states = {m.name: m.state for m in store.list()}
    assert list(states) == [
        "Aphids", "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn",
        "maskrcnn_resnet50_fpn_v2", "ssd300_vgg16", "ssdlite320_mobilenet_v3_large", "starter", "zz",
    ]  # fmt: skip
    assert (states["Aphids"], states["starter"], states["zz"]) == ("installed", "bundled", "damaged")
    assert states["maskrcnn_resnet50_fpn"] == "installed"
    assert "no model card" in next(m.problem for m in store.list() if m.name == "zz")


def test_that_a_model_is_found_by_name_weights_or_card(store: ModelStore, version: ModelVersion) -> None:
    shutil.copytree(version.path.parent, store.root)
    assert store.resolve("cells").card == version.card
    assert store.resolve(str(version.path)) == version
    assert store.resolve(str(version.card_path)) == version


def test_that_an_unknown_name_is_told_with_the_known_ones(store: ModelStore) -> None:
    with pytest.raises(ModelError, match=r"No model is called 'nothing'; there are .*maskrcnn_resnet50_fpn"):
        store.resolve("nothing")
    with pytest.raises(ModelError, match="fetch it with `models download maskrcnn_resnet50_fpn`"):
        store.resolve("maskrcnn_resnet50_fpn")
    with pytest.raises(ModelError, match="There is no model at"):
        store.resolve("folder/cells.safetensors")


def test_that_a_training_starts_from_what_is_here(
    store: ModelStore, network: FasterRCNN, card: ModelCard
) -> None:
    """Nobody asked for a download, so none is made."""
    assert store.usual_base() == "starter"
    save_version(store.root, "maskrcnn_resnet50_fpn", network, card)
    assert store.usual_base() == "maskrcnn_resnet50_fpn"


def test_that_a_bare_weights_file_is_sent_to_import(store: ModelStore, weights: Path) -> None:
    with pytest.raises(ModelError, match=r"bring it in with `models import theirs.pth` first"):
        store.resolve(str(weights))


def test_that_the_place_of_the_store_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "here"))
    assert default_store().root == tmp_path / "here"
    monkeypatch.delenv("MASKWRIGHT_MODELS")
    assert default_store().root.parts[-2:] == ("Maskwright", "models")


# --- importing


def test_that_a_pth_becomes_a_version_that_tells_where_it_came_from(
    store: ModelStore, weights: Path, network: FasterRCNN
) -> None:
    version = store.import_file(weights)
    assert same_weights(network, load_network(version))
    assert version == store.resolve("theirs")
    assert (version.card.spec, version.card.classes) == (TINY, ("class_0", "class_1"))
    assert version.card.training == {
        "file": "theirs.pth",
        "file_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }


def test_that_a_person_may_name_it_its_classes_its_architecture_and_its_eps(
    store: ModelStore, weights: Path
) -> None:
    card = store.import_file(
        weights, name="nuclei", classes=("round", "long"), architecture=TINY.architecture, norm_eps=0.0
    ).card
    assert (card.name, card.classes, card.spec.norm_eps) == ("nuclei", ("round", "long"), 0.0)


def test_that_a_bare_safetensors_file_is_imported_too(
    store: ModelStore, tmp_path: Path, network: FasterRCNN
) -> None:
    safetensors.torch.save_file(network.state_dict(), tmp_path / "my cells (2).safetensors")
    version = store.import_file(tmp_path / "my cells (2).safetensors")
    assert version.card.name == "my-cells-2"
    assert same_weights(network, load_network(version))


def test_that_a_version_keeps_its_card_when_imported(store: ModelStore, version: ModelVersion) -> None:
    imported = store.import_file(version.path, name="copy")
    assert imported.card == dataclasses.replace(version.card, name="copy")
    assert imported.path == store.root / "copy.safetensors"


def test_that_a_version_that_was_changed_is_not_imported(store: ModelStore, version: ModelVersion) -> None:
    with version.path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    with pytest.raises(ModelError, match="changed or damaged"):
        store.import_file(version.path)
    assert not store.root.exists()


def test_that_ninety_one_outputs_mean_coco(store: ModelStore, tmp_path: Path) -> None:
    network = build(NetworkSpec(TINY.architecture, 90))
    torch.save(network.state_dict(), tmp_path / "coco.pth")
    classes = store.import_file(tmp_path / "coco.pth").card.classes
    assert (classes[0], classes[89], classes[11]) == ("person", "toothbrush", "unused_12")
    assert len(set(classes)) == 90
    assert sum(c.startswith("unused_") for c in classes) == 10


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"classes": ("one",)}, "tells 2 classes apart, but 1 were named"),
        ({"classes": ("one", "one")}, "'one' twice"),
        (
            {"architecture": "maskrcnn_resnet18_fpn"},
            "does not fit maskrcnn_resnet18_fpn with 2 classes: it lacks",
        ),
        ({"architecture": "yolo"}, "No architecture is called 'yolo'"),
        ({"name": "../x"}, "cannot be a model's name"),
        ({"name": "MaskRCNN_resnet50_FPN"}, "exists already: choose another with --name"),
    ],
)
def test_that_what_contradicts_the_file_is_refused(
    store: ModelStore, weights: Path, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        store.import_file(weights, **change)  # type: ignore[arg-type]
    assert not store.root.exists()


def test_that_import_never_replaces_a_model(store: ModelStore, weights: Path) -> None:
    store.import_file(weights, name="cells")
    with pytest.raises(ModelError, match="exists already"):
        store.import_file(weights, name="Cells")


def test_that_other_networks_are_told_apart(store: ModelStore, tmp_path: Path, network: FasterRCNN) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pth")
    with pytest.raises(
        ModelError, match=r"a backbone, not a detector: train from it with `train DATA --base"
    ):
        store.import_file(tmp_path / "resnet.pth")
    torch.save({"model.0.conv": torch.zeros(1)}, tmp_path / "yolo.pth")
    with pytest.raises(ModelError, match="no detector of the Mask R-CNN family"):
        store.import_file(tmp_path / "yolo.pth")
    other = {key.replace("body", "trunk"): tensor for key, tensor in network.state_dict().items()}
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="an unknown architecture"):
        store.import_file(tmp_path / "other.pth")


# --- removing


def test_that_a_removed_model_is_gone_with_all_its_files(store: ModelStore, weights: Path) -> None:
    store.import_file(weights)
    (store.root / "theirs.json.new").write_text("{")
    store.remove("theirs")
    assert list(store.root.iterdir()) == []


def test_that_bundled_and_unknown_models_are_not_removed(
    store: ModelStore, tmp_path: Path, network: FasterRCNN, card: ModelCard
) -> None:
    bundled = save_version(tmp_path / "bundled", "starter", network, card)
    with pytest.raises(ModelError, match="came with the program"):
        store.remove("starter")
    for name in ("nothing", "maskrcnn_resnet50_fpn"):
        with pytest.raises(ModelError, match="is installed"):
            store.remove(name)
    with pytest.raises(ModelError, match="cannot be a model's name"):
        store.remove("../bundled/starter")
    assert bundled.path.is_file()
    assert store.resolve("starter") == bundled


# --- downloading


@pytest.fixture
def published(tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Published:
    return Published(tmp_path / "publisher", server, monkeypatch, NetworkSpec(TINY.architecture, 90))


def test_that_a_download_becomes_a_verified_version(
    store: ModelStore, published: Published, server: FileServer
) -> None:
    seen: list[tuple[int, int | None]] = []
    version = store.download(TINY.architecture, progress=lambda *s: seen.append(s))
    assert same_weights(published.network, load_network(version))
    assert seen[-1] == (len(published.content), len(published.content))
    card = version.card
    assert (card.spec.norm_eps, card.classes[:2], card.metrics) == (0.0, ("c0", "c1"), {"mask_ap": 0.3})
    assert card.training["file_sha256"] == published.sha256
    assert card.training["weights"] == "Test_Weights.COCO_V1"
    assert [a.path for a in server.asked] == [f"/m/{published.file.name}"]
    assert not any(p.suffix in (".pth", ".part") for p in store.root.rglob("*"))


def test_that_a_model_that_is_here_is_not_downloaded_again(
    store: ModelStore, published: Published, server: FileServer
) -> None:
    first = store.download(TINY.architecture)
    server.asked.clear()
    assert store.download(TINY.architecture) == first == store.obtain(TINY.architecture)
    assert server.asked == []


def test_that_the_first_use_downloads_and_listing_never_does(
    store: ModelStore, published: Published, server: FileServer
) -> None:
    store.list()
    with pytest.raises(ModelError, match="not here yet"):
        store.resolve(TINY.architecture)
    assert server.asked == []
    assert store.obtain(TINY.architecture).card.name == TINY.architecture


def test_that_a_mirror_takes_the_servers_place(
    store: ModelStore, published: Published, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.download(TINY.architecture, source=f"{server.url}/mirror/")
    store.remove(TINY.architecture)
    monkeypatch.setenv("MASKWRIGHT_MIRROR", f"{server.url}/other")
    store.download(TINY.architecture)
    assert [a.path for a in server.asked] == [
        f"/mirror/{published.file.name}",
        f"/other/{published.file.name}",
    ]


def test_that_a_folder_serves_when_offline_and_is_left_as_it_is(
    store: ModelStore, published: Published, server: FileServer
) -> None:
    version = store.download(TINY.architecture, source=str(published.file.parent))
    assert same_weights(published.network, load_network(version))
    assert (server.asked, published.file.read_bytes()) == ([], published.content)


def test_that_a_damaged_file_in_a_folder_or_on_a_server_installs_nothing(
    store: ModelStore, published: Published, server: FileServer
) -> None:
    damaged = published.content[:-1] + b"\xff"
    published.file.write_bytes(damaged)
    server.does.content = damaged
    for source in (str(published.file.parent), None):
        with pytest.raises(ModelError, match="not the file that was expected"):
            store.download(TINY.architecture, source=source, patience=Patience(attempts=1))
    assert [m.state for m in store.list()] == [ModelState.AVAILABLE]


def test_that_a_missing_file_or_unknown_model_is_told(
    store: ModelStore, published: Published, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"There is no .*net_coco-"):
        store.download(TINY.architecture, source=str(tmp_path))
    with pytest.raises(ModelError, match="No model called 'cells' can be downloaded"):
        store.download("cells")


def test_that_the_published_file_is_known_by_its_hash_when_imported(
    store: ModelStore, published: Published, tmp_path: Path
) -> None:
    renamed = Path(shutil.copy(published.file, tmp_path / "renamed.pth"))
    version = store.import_file(renamed)
    assert (version.card.name, version.card.spec.norm_eps) == (TINY.architecture, 0.0)
    with pytest.raises(ModelError, match="installed already"):
        store.import_file(renamed)
    again = store.import_file(renamed, name="mine")
    assert (again.card.spec.norm_eps, again.card.classes[0]) == (0.0, "person")


# --- the real catalogue


def test_that_the_catalogue_is_torchvisions() -> None:
    assert OFFICIAL == (
        "maskrcnn_resnet50_fpn",
        "fasterrcnn_resnet50_fpn",
        "maskrcnn_resnet50_fpn_v2",
        "fasterrcnn_resnet50_fpn_v2",
        "ssd300_vgg16",
        "ssdlite320_mobilenet_v3_large",
    )
    for entry in CATALOGUE.values():
        source = EntrySource.of(entry)
        assert source.file_name.startswith(f"{entry.name}_coco-")
        assert len(source.sha256_prefix) == 8
        assert len(source.classes) == 90
        assert source.classes[0] == "person"
        assert 0.2 < source.metrics["box_ap"] < 0.5
        assert ("mask_ap" in source.metrics) == entry.name.startswith("mask")
    # torchvision itself sets eps to 0 for these two and leaves the others alone.
    assert [e.norm_eps for e in CATALOGUE.values()] == [0.0, 0.0, *[1e-5] * 4]


def test_that_the_published_sizes_are_told(store: ModelStore) -> None:
    from torchvision.models import detection

    for model in store.list():
        published = getattr(detection, CATALOGUE[model.name].weights).COCO_V1.meta["_file_size"]
        assert model.size / 2**20 == pytest.approx(published, abs=0.6)


@pytest.mark.parametrize("name", ["net.pth", "net-1234.pth", "net-ABCDEF12.pth"])
def test_that_a_file_that_cannot_be_verified_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="cannot be verified"):
        assert EntrySource(f"http://host/{name}", (), {}).sha256_prefix


@pytest.mark.slow
def test_that_a_file_of_torchvisions_real_network_installs_unchanged(
    store: ModelStore, tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = NetworkSpec("maskrcnn_resnet50_fpn", 90)
    published = Published(tmp_path / "publisher", server, monkeypatch, spec)
    version = store.download(spec.architecture)
    loaded = load_network(version)
    assert same_weights(published.network, loaded)
    assert loaded.backbone.body.bn1.eps == 0.0
    assert version.card.spec == dataclasses.replace(spec, norm_eps=0.0)
    assert json.loads(version.card_path.read_text(encoding="utf-8")) == card_to_json(version.card)
