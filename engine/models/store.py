"""The model store: the versions installed for this user, those bundled, those that can be downloaded.

Torch is imported only to download or import, not to list, resolve or remove. Nothing is downloaded
unless a caller asks for it by `download` or `obtain`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import platformdirs

from engine.errors import ModelError
from engine.models.card import (
    CARD_SUFFIX,
    WEIGHTS_SUFFIX,
    ModelVersion,
    card_path_of,
    check_name,
    pending,
    read_version,
    sha256_of,
)
from engine.models.coco import CATALOGUE, CatalogueEntry, EntrySource
from engine.models.download import PATIENT, Patience, Progress, fetch

MODELS_VARIABLE = "MASKWRIGHT_MODELS"
MIRROR_VARIABLE = "MASKWRIGHT_MIRROR"

STARTER = "starter"
COCO_BASE = "maskrcnn_resnet50_fpn"

_BUNDLED = Path(__file__).resolve().parents[2] / "resources" / "models"


class ModelState(StrEnum):
    """Where a listed model stands."""

    INSTALLED = "installed"
    BUNDLED = "bundled"
    AVAILABLE = "available"  # for download
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A line of the list. version is None for what is not here or cannot be read; size in bytes."""

    name: str
    state: ModelState
    version: ModelVersion | None = None
    size: int = 0
    problem: str = ""


class ModelStore:
    """Model versions by name: a folder of the user's own, and the read-only one of the program."""

    def __init__(self, root: Path, bundled: Path = _BUNDLED) -> None:
        self.root = root
        self._bundled = bundled

    def list(self) -> tuple[ListedModel, ...]:
        """Every model, sorted by name. A user's model hides a bundled or available one of its name."""
        found = {
            name: ListedModel(name, ModelState.AVAILABLE, size=e.mebibytes * 2**20)
            for name, e in CATALOGUE.items()
        }
        for folder, state in ((self._bundled, ModelState.BUNDLED), (self.root, ModelState.INSTALLED)):
            for path in folder.glob("*" + WEIGHTS_SUFFIX):
                listed = _listed(path, state)
                found[listed.name] = listed
        return tuple(sorted(found.values(), key=lambda m: (m.name.casefold(), m.name)))

    def resolve(self, name_or_file: str) -> ModelVersion:
        """The version that a person means by a name in the store or by a file.

        Raises ModelError that says what to do when there is none, or when it is not here yet.
        """
        as_path = Path(name_or_file)
        if as_path.suffix in (WEIGHTS_SUFFIX, CARD_SUFFIX) or len(as_path.parts) > 1 or as_path.is_file():
            return read_version(as_path)
        for folder in (self.root, self._bundled):
            path = folder / (name_or_file + WEIGHTS_SUFFIX)
            if path.is_file():
                return read_version(path)
        if name_or_file in CATALOGUE:
            raise ModelError(
                f"Model {name_or_file} is not here yet: fetch it with `models download {name_or_file}`."
            )
        known = ", ".join(m.name for m in self.list())
        raise ModelError(f"No model is called '{name_or_file}'; there are {known}.")

    def usual_base(self) -> str:
        """What a training starts from where nobody said: COCO's model if it is here, else the bundled one.

        A download is for the person to ask for, so one that is not here does not count.
        """
        return COCO_BASE if self._is_here(COCO_BASE) else STARTER

    def obtain(
        self,
        name_or_file: str,
        *,
        progress: Progress = lambda _done, _total: None,
        canceled: Callable[[], bool] = lambda: False,
    ) -> ModelVersion:
        """As `resolve`, but a model of the catalogue is downloaded on its first use."""
        if name_or_file in CATALOGUE and not self._is_here(name_or_file):
            return self.download(name_or_file, progress=progress, canceled=canceled)
        return self.resolve(name_or_file)

    def download(
        self,
        name: str,
        *,
        source: str | None = None,
        progress: Progress = lambda _done, _total: None,
        canceled: Callable[[], bool] = lambda: False,
        patience: Patience = PATIENT,
    ) -> ModelVersion:
        """Fetch a model of the catalogue, verify it and install it; one that is here is returned.

        source: a folder or the beginning of an http(s) address that holds torchvision's files, in
        place of their own server; without it the environment's MASKWRIGHT_MIRROR counts. Raises
        ModelError.
        """
        entry = CATALOGUE.get(name)
        if entry is None:
            known = ", ".join(CATALOGUE)
            raise ModelError(f"No model called '{name}' can be downloaded; there are {known}.")
        if self._is_here(name):
            return self.resolve(name)
        remote = EntrySource.of(entry)
        mirror = source or os.environ.get(MIRROR_VARIABLE, "")
        if mirror and not mirror.lower().startswith(("http://", "https://")):
            return self._install_official(_verified(Path(mirror) / remote.file_name, remote), entry, remote)
        url = f"{mirror.rstrip('/')}/{remote.file_name}" if mirror else remote.url
        file = self.root / "downloads" / remote.file_name
        fetch(url, file, sha256=remote.sha256_prefix, progress=progress, canceled=canceled, patience=patience)
        version = self._install_official(file, entry, remote)
        file.unlink(missing_ok=True)
        return version

    def import_file(
        self,
        path: Path,
        *,
        name: str | None = None,
        classes: tuple[str, ...] | None = None,
        architecture: str | None = None,
        norm_eps: float | None = None,
    ) -> ModelVersion:
        """Bring a detector's `.pth` or `.safetensors` file into the store as a model version.

        What is not given is told by the file: its name, COCO's classes where it has as many outputs
        as COCO, else class_0 and so on, the architecture by its weights' names and shapes. norm_eps,
        of frozen BatchNorm, is in no file: it is 0 for networks that were trained on from
        torchvision's first COCO weights. Those weights themselves are recognised by their hash.
        Nothing in the file is executed. Raises ModelError when it is unsafe, damaged or of an unknown
        architecture, or when the name is taken.
        """
        from engine.models.importing import read_import
        from engine.models.version import save_version

        official = _official(path)
        if official is not None and (name, classes, architecture, norm_eps) == (None,) * 4:
            if self._is_here(official[0].name):
                raise ModelError(f"{path} is {official[0].name}, which is installed already.")
            return self._install_official(path, *official)
        if official is not None and norm_eps is None:
            norm_eps = official[0].norm_eps
        network, card = read_import(
            path, name=name, classes=classes, architecture=architecture, norm_eps=norm_eps
        )
        # Folded: two names that differ in case are one file on Windows and macOS.
        if card.name.casefold() in {m.name.casefold() for m in self.list()}:
            raise ModelError(f"A model called '{card.name}' exists already: choose another with --name.")
        return save_version(self.root, card.name, network, card)

    def remove(self, name: str) -> None:
        """Delete a user's model from disk. Raises ModelError for a bundled or unknown one."""
        path = self.root / (check_name(name) + WEIGHTS_SUFFIX)
        if not path.is_file():
            if (self._bundled / path.name).is_file():
                raise ModelError(
                    f"Model {name} came with the program and stays; only your own can be removed."
                )
            raise ModelError(f"No model called '{name}' is installed; `models list` shows which are.")
        try:
            # The weights first: a card alone is not listed.
            for file in (path, card_path_of(path), pending(path), pending(card_path_of(path))):
                file.unlink(missing_ok=True)
        except OSError as e:
            raise ModelError(f"Model {name} cannot be removed: {e.strerror or e}; is it in use?") from e

    def _is_here(self, name: str) -> bool:
        return any((folder / (name + WEIGHTS_SUFFIX)).is_file() for folder in (self.root, self._bundled))

    def _install_official(self, file: Path, entry: CatalogueEntry, remote: EntrySource) -> ModelVersion:
        from engine.models.importing import read_import
        from engine.models.version import save_version

        network, card = read_import(
            file, name=entry.name, classes=remote.classes, architecture=entry.name, norm_eps=entry.norm_eps
        )
        training = {**card.training, "weights": f"{entry.weights}.COCO_V1"}
        card = dataclasses.replace(card, training=training, metrics=remote.metrics)
        return save_version(self.root, entry.name, network, card)


def default_store() -> ModelStore:
    """The store of this user: MASKWRIGHT_MODELS, or the system's folder for a program's data."""
    named = os.environ.get(MODELS_VARIABLE)
    root = (
        Path(named) if named else Path(platformdirs.user_data_dir("Maskwright", appauthor=False)) / "models"
    )
    return ModelStore(root)


def _listed(path: Path, state: ModelState) -> ListedModel:
    name, size = path.name.removesuffix(WEIGHTS_SUFFIX), path.stat().st_size
    try:
        return ListedModel(name, state, read_version(path), size)
    except ModelError as e:
        return ListedModel(name, ModelState.DAMAGED, size=size, problem=str(e))


def _verified(file: Path, remote: EntrySource) -> Path:
    """A file in somebody's folder, if it is the one that torchvision publishes."""
    if not file.is_file():
        raise ModelError(f"There is no {file}: put the file there or name another folder.")
    digest = sha256_of(file)
    if not digest.startswith(remote.sha256_prefix):
        raise ModelError(
            f"{file} is not the file that was expected (its SHA-256 begins with {digest[:8]}, not "
            f"{remote.sha256_prefix}): it is damaged or another one; fetch it again."
        )
    return file


def _official(path: Path) -> tuple[CatalogueEntry, EntrySource] | None:
    """The catalogue's entry whose very file this is, whatever it is called now."""
    if path.suffix != ".pth" or not path.is_file():
        return None
    digest = sha256_of(path)
    for entry in CATALOGUE.values():
        remote = EntrySource.of(entry)
        if digest.startswith(remote.sha256_prefix):
            return entry, remote
    return None
