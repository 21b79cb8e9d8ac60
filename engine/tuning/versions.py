"""The versions that fine-tuning has made: a list with parents and figures, notes, names, comparison, export.

Reads and writes cards and copies files; no torch, and no weights are looked into.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import ModelError
from engine.files import replacing
from engine.models.card import (
    CARD_SUFFIX,
    WEIGHTS_SUFFIX,
    Json,
    ModelCard,
    ModelVersion,
    card_path_of,
    check_name,
    read_version,
    sha256_of,
    write_card,
)
from engine.models.store import ListedModel, ModelState, ModelStore
from engine.project import Project
from engine.train.verdict import Decision, Verdict
from engine.tuning.stopped import REPORTS, needing


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One model of the store, as a list shows it.

    parent: the name of what it was trained from, empty where that is not known. created: ISO 8601 UTC.
    images, instances: learned from, 0 where the card does not say. ap, boundary_ap: on the held-out images
    of its project, None where it was not measured so; held_out: how many they were. verdict: the gate's,
    None for a model that no fine-tuning made. project: the name of the folder that it learned from. size:
    bytes on the disk. is_active: the project works with it. problem: why it cannot be used, empty else.
    """

    name: str
    state: ModelState
    parent: str = ""
    created: str = ""
    classes: tuple[str, ...] = ()
    images: int = 0
    instances: int = 0
    held_out: int = 0
    ap: float | None = None
    boundary_ap: float | None = None
    verdict: Verdict | None = None
    notes: str = ""
    project: str = ""
    side: int = 0
    steps: int = 0
    minutes: float = 0.0
    size: int = 0
    path: Path | None = None
    is_active: bool = False
    problem: str = ""

    @property
    def decision(self) -> Decision | None:
        """What became of it at the gate."""
        return None if self.verdict is None else self.verdict.decision

    @property
    def report(self) -> Path | None:
        """The page with its comparison, where it is there."""
        if self.verdict is None or not self.verdict.report:
            return None
        page = Path(self.verdict.report) / "report.html"
        return page if page.is_file() else None


@dataclass(frozen=True, slots=True)
class Compared:
    """What differs between two versions, by their cards.

    settings, figures: name -> (of the first, of the second) where they differ; None where one has none.
    only_first, only_second: classes.
    """

    first: VersionInfo
    second: VersionInfo
    settings: Mapping[str, tuple[Json, Json]] = field(default_factory=dict)
    figures: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()


def versions(store: ModelStore, project: Project | None = None) -> tuple[VersionInfo, ...]:
    """Every model that is here, the newest first; those for download are left out."""
    active = project.active_model().name if project else ""
    here = (one for one in store.list() if one.state is not ModelState.AVAILABLE)
    return tuple(sorted((_info(one, active) for one in here), key=lambda one: one.created, reverse=True))


def version(store: ModelStore, name: str, project: Project | None = None) -> VersionInfo:
    """The one of that name. Raises ModelError."""
    found = next((one for one in versions(store, project) if one.name == name), None)
    if found is None:
        raise ModelError(f"No model called '{name}' is here.")
    return found


def curve(store: ModelStore, project_name: str) -> tuple[VersionInfo, ...]:
    """The measured versions of a project, the oldest first: AP over versions. project_name: its folder's."""
    own = (one for one in versions(store) if one.ap is not None and one.project == project_name)
    return tuple(sorted(own, key=lambda one: (one.created, one.name)))


def compare(store: ModelStore, first: str, second: str) -> Compared:
    """Two versions by their cards. Raises ModelError where one is not here."""
    a, b = (store.resolve(name).card for name in (first, second))
    settings_a, settings_b = _settings(a), _settings(b)
    names = [*settings_a, *(name for name in settings_b if name not in settings_a)]
    settings = {name: (settings_a.get(name), settings_b.get(name)) for name in names}
    metrics = {name: (a.metrics.get(name), b.metrics.get(name)) for name in sorted({*a.metrics, *b.metrics})}
    return Compared(
        version(store, first),
        version(store, second),
        {name: pair for name, pair in settings.items() if pair[0] != pair[1]},
        {name: pair for name, pair in metrics.items() if pair[0] != pair[1]},
        tuple(name for name in a.classes if name not in b.classes),
        tuple(name for name in b.classes if name not in a.classes),
    )


def annotate(store: ModelStore, name: str, notes: str) -> None:
    """Set a version's notes. Raises ModelError, also for one that came with the program."""
    own = _own(store, name)
    write_card(own, dataclasses.replace(own.card, training={**own.card.training, "notes": notes}))


def rename(store: ModelStore, name: str, to: str, project: Project | None = None) -> None:
    """Give a version another name, also where versions that came from it, and the project, name it.

    Whatever happens on the way, one of the two names can be used afterwards. Raises ModelError, also while
    a stopped fine-tuning needs the version.
    """
    own = _own(store, name)
    _check_free(store, name)
    if check_name(to).casefold() in {one.name.casefold() for one in store.list()} - {name.casefold()}:
        raise ModelError(f"A model called '{to}' exists already: choose another name.")
    if to == name:
        return
    target = store.root / (to + WEIGHTS_SUFFIX)
    if to.casefold() == name.casefold():
        raise ModelError(f"'{to}' differs from '{name}' only in case, which some systems do not tell apart.")
    try:
        # The card first: weights without a card cannot be used, a card without weights is not listed.
        new = ModelVersion(target, dataclasses.replace(own.card, name=to))
        write_card(new, new.card)
        own.path.rename(target)
        own.card_path.unlink(missing_ok=True)
    except OSError as e:
        with suppress(OSError):
            if not target.is_file():
                card_path_of(target).unlink(missing_ok=True)
        raise ModelError(f"Model {name} cannot be renamed: {e.strerror or e}; is it in use?") from e
    _follow(store, name, to)
    if project is not None and not project.read_only:
        project.rename_model(name, to)


def export(store: ModelStore, name: str, folder: Path) -> Path:
    """Copy a version, weights and card, into a folder; returns the weights' file. Raises ModelError."""
    found = store.resolve(name)
    target = folder / (found.card.name + WEIGHTS_SUFFIX)
    if target.exists():
        raise ModelError(f"{target} is there already: choose another folder.")
    try:
        with replacing(target) as part:
            shutil.copyfile(found.path, part)
            if sha256_of(part) != found.card.sha256:
                raise ModelError(
                    f"Model {name} is damaged, or the copy is: try another folder, or train it again."
                )
            write_card(ModelVersion(target, found.card), found.card)
    except OSError as e:
        raise ModelError(
            f"Model {name} cannot be copied to {folder} ({e.strerror or e}): choose another folder."
        ) from e
    return target


def delete(store: ModelStore, name: str, project: Project | None = None) -> None:
    """Remove a version from the disk, and its reports.

    Raises ModelError for the active one, one of the program's, and one that a stopped fine-tuning needs.
    """
    if project is not None and project.active_model().name == name:
        raise ModelError(f"'{name}' is the active model: go back to another one first.")
    _check_free(store, name)
    reports = {store.root / REPORTS / check_name(name)}
    with suppress(ModelError):
        verdict = _verdict(store.resolve(name).card)
        if verdict is not None and verdict.report:  # a renamed one's lies where it was written
            reports.add(Path(verdict.report))
    store.remove(name)
    for report in reports:
        if report.parent == store.root / REPORTS:
            shutil.rmtree(report, ignore_errors=True)


def _check_free(store: ModelStore, name: str) -> None:
    needed = needing(store.root, name)
    if needed is not None:
        raise ModelError(
            f"The stopped fine-tuning of {needed.name} needs '{name}': let it go on to its end, or forget it."
        )


def _own(store: ModelStore, name: str) -> ModelVersion:
    path = store.root / (check_name(name) + WEIGHTS_SUFFIX)
    if not path.is_file():
        raise ModelError(f"'{name}' is not one of your own models, which alone can be changed.")
    return read_version(path)


def _follow(store: ModelStore, old: str, new: str) -> None:
    """Name a renamed version anew in the cards of those that came from it; a card that resists stays."""
    for path in store.root.glob("*" + CARD_SUFFIX):
        with suppress(ModelError):
            child = read_version(path)
            card = child.card
            parent, training = card.parent or "", dict(card.training)
            if training.get("base") == old:
                training["base"] = new
            if parent.partition(" ")[0] == old:
                parent = f"{new} {parent.partition(' ')[2]}".rstrip()
            if training != dict(card.training) or parent != (card.parent or ""):
                write_card(child, dataclasses.replace(card, parent=parent or None, training=training))


def _info(one: ListedModel, active: str) -> VersionInfo:
    if one.version is None:
        return VersionInfo(one.name, one.state, size=one.size, problem=one.problem)
    card, verdict = one.version.card, _verdict(one.version.card)
    figures = verdict.new if verdict else None
    training = card.training
    return VersionInfo(
        one.name,
        one.state,
        (card.parent or "").partition(" ")[0],
        card.created,
        card.classes,
        _int(training.get("images")),
        _int(training.get("instances")),
        verdict.images if verdict else 0,
        figures.ap if figures else None,
        figures.boundary_ap if figures else None,
        verdict,
        _text(training.get("notes")),
        _text(training.get("data")),
        card.spec.min_size,
        _int(training.get("steps")),
        _float(training.get("minutes")),
        one.size,
        one.version.path,
        one.name == active,
    )


def _verdict(card: ModelCard) -> Verdict | None:
    try:
        return Verdict.from_json(card.training["gate"])
    except (KeyError, ValueError):
        return None


def _settings(card: ModelCard) -> dict[str, Json]:
    """What a person chose or what was chosen, flat."""
    flat: dict[str, Json] = {"architecture": card.spec.architecture, "side": card.spec.min_size}
    for name, value in card.training.items():
        if name == "recipe" and isinstance(value, dict):
            flat |= {f"recipe: {key}": one for key, one in value.items()}
        elif name not in ("gate", "notes"):
            flat[name] = value
    return flat


def _int(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _float(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
