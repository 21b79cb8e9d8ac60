"""What a fine-tuning would learn from, and every choice that a person left open, made from data and machine.

Reads the project and the store; no torch. The same choices go into the order for the training process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from engine.document.records import ReviewState
from engine.errors import DataError, ModelError
from engine.formats.labelled import LabelledSet
from engine.messages import FineTune
from engine.models.card import Json, ModelCard, name_from
from engine.models.coco import CATALOGUE
from engine.models.store import ModelStore, default_store
from engine.project import Project
from engine.train.order import TrainOrder
from engine.train.plan import default_iterations
from engine.train.recipe import Recipe
from engine.train.sizing import choose_sizes, side_of
from engine.train.sources import labelled_image, only_classes, only_known, usable
from engine.train.verdict import FEW_IMAGES
from engine.tuning import pace
from engine.tuning.description import TuneDescription, counted
from engine.tuning.stopped import REPORTS, stopped_run

MOST_SECONDS = {"cpu": 600.0}
MOST_SECONDS_ELSE = 1800.0
"""What a click may take where nobody says how long; on a GPU that is enough for most."""

LEAST_ITERATIONS = 60

STAGES = ((10, 3), (200, 2), (1000, 1))
"""Up to so many images, so many stages of the body stay frozen; with more, none: few images would only make
it forget what many have taught."""


def describe(request: FineTune, project: Project, store: ModelStore | None = None) -> TuneDescription:
    """What would happen now. Takes as long as reading the labels of all reviewed images does.

    Raises DataError where there is nothing to learn from, in a sentence that says what to do.
    """
    store = store or default_store()
    whole, learned, held_out = _sets(request, project)
    against = against_of(request, project, store)
    base = request.base or (against if request.continue_active else root_of(against, store))
    card = _card(base, store)
    device = pace.likely_device(store.root, request.device)
    sizes = choose_sizes(learned.images, device, side=request.side, learned_at=side_of(base, store))
    speed = pace.expected(
        store.root,
        device=device,
        architecture=card.spec.architecture if card else base,
        side=sizes.window or sizes.min_size,
    )
    batch, iterations = Recipe().batch, request.iterations
    if iterations is None and request.minutes is None:
        iterations = _iterations(len(learned.images), speed, batch, held_out, device)
    seconds = speed.of_run(iterations=iterations or 0, batch=batch, measured_images=held_out)
    stopped = stopped_run(store.root, project.folder)
    frozen = request.frozen_stages
    ids = [item.id for item in usable(project)]
    states = project.image_states().values()
    return TuneDescription(
        images=len(whole.images),
        instances=whole.instance_count,
        classes=_counted(whole),
        empty=sum(not image.instances for image in whole.images),
        held_out=held_out,
        left_out=sum(state.review is ReviewState.REVIEWED for state in states) - len(ids),
        unseen=int(project.survey(ids).is_proposal.sum()),
        base=base,
        against=against,
        name=request.name or next_name(project.folder, store),
        device=device,
        side=sizes.min_size,
        batch=batch,
        iterations=iterations,
        minutes=request.minutes,
        frozen_stages=_stages(len(learned.images)) if frozen is None else frozen,
        seconds=seconds + 60 * (request.minutes or 0.0),
        measured=speed.measured,
        resumable=stopped.step if stopped else None,
        warnings=tuple(_warnings(whole, learned, held_out, _card(against, store), project)),
    )


def order_of(request: FineTune, described: TuneDescription, store: ModelStore) -> TrainOrder:
    """The order for the training process, with every choice in it."""
    recipe: dict[str, Json] = {"batch": described.batch, "frozen_stages": described.frozen_stages}
    return TrainOrder(
        request.folder.resolve(),
        base=described.base,
        name=described.name,
        iterations=described.iterations,
        minutes=described.minutes,
        device=request.device,
        seed=request.seed,
        side=described.side,
        window=request.window,
        # An architecture without weights has a recipe of its own, with nothing frozen.
        recipe={**(recipe if _has_weights(described.base, store) else {}), **request.recipe},
        gate=True,
        against=described.against,
        accept=request.accept.value,
        classes=request.classes,
        report=store.root / REPORTS / described.name,
        notes=request.notes,
    )


def _has_weights(base: str, store: ModelStore) -> bool:
    return base in CATALOGUE or _card(base, store) is not None


def against_of(request: FineTune, project: Project, store: ModelStore) -> str:
    """The model in use: that of the request, of the project, or where nobody chose one the usual base."""
    return request.against or project.active_model().name or request.base or store.usual_base()


def root_of(name: str, store: ModelStore) -> str:
    """The model that a fine-tuned version came from in the end, as far back as it is still here."""
    seen = {name}
    while True:
        card = _card(name, store)
        base = card.training.get("base") if card and "gate" in card.training else None
        if not isinstance(base, str) or base in seen or _card(base, store) is None:
            return name
        name = base
        seen.add(name)


def next_name(folder: Path, store: ModelStore) -> str:
    """A name that no model has yet: the folder's with a number."""
    taken = {one.name.casefold() for one in store.list()}
    stem = name_from(folder.resolve().name)[:90]
    number = 1
    while f"{stem}-{number}".casefold() in taken:
        number += 1
    return f"{stem}-{number}"


def _sets(request: FineTune, project: Project) -> tuple[LabelledSet, LabelledSet, int]:
    """All reviewed images, those to learn from, and how many are held out.

    What has not been assigned yet counts as learned from, but for the share of it that will not be.
    """
    items, sides = usable(project), project.held_out()
    if not items:
        raise DataError("No image is reviewed yet: correct one, accept it, and fine-tune again.")
    images = {item.id: labelled_image(project, item) for item in items}
    whole = only_classes(LabelledSet(project.classes(), tuple(images.values())), request.classes)
    if not whole.instance_count:
        raise DataError(
            f"{counted(len(items), 'image is', 'images are')} reviewed, but no object is on them: a model "
            "learns from at least one."
        )
    held_out = sum(sides.get(item.id, False) for item in items)
    new = [item.id for item in items if item.id not in sides]
    soon = min(round(request.held_out * len(new)), max(len(new) - 1, 0))
    known = [images[item.id] for item in items if not sides.get(item.id, item.id in new[:soon])]
    return whole, only_known(whole.classes, known), held_out + soon


def _counted(whole: LabelledSet) -> tuple[tuple[str, int], ...]:
    instances = Counter(one.class_id for image in whole.images for one in image.instances)
    return tuple((one.name, instances[one.id]) for one in whole.classes)


def _iterations(images: int, speed: pace.Pace, batch: int, held_out: int, device: str) -> int:
    """As many steps as suit the data, or as fit into the time that a click may take."""
    allowed = MOST_SECONDS.get(device, MOST_SECONDS_ELSE)
    rest = speed.of_run(iterations=0, batch=batch, measured_images=held_out)
    fitting = int((allowed - rest) / (batch * speed.seconds_a_picture))
    return max(LEAST_ITERATIONS, min(default_iterations(images), fitting))


def _stages(images: int) -> int:
    return next((stages for most, stages in STAGES if images < most), 0)


def _card(name: str, store: ModelStore) -> ModelCard | None:
    try:
        return store.resolve(name).card
    except ModelError:
        return None


def _warnings(
    whole: LabelledSet, learned: LabelledSet, held_out: int, known: ModelCard | None, project: Project
) -> Iterator[str]:
    """What a person should know before the click, in sentences."""
    if len(whole.images) <= FEW_IMAGES:
        yield (
            f"{counted(len(whole.images), 'reviewed image')} can already teach a lot, but few are left to "
            "measure on: how much better the model is will be told with a wide margin."
        )
    if not held_out:
        yield "No image is held out yet, so nobody will know whether the new model is better: review more."
    taught = {one.class_id for image in learned.images for one in image.instances}
    for one in whole.classes:
        if one.id not in taught:
            yield f"Every object of '{one.name}' is on held-out images: review another image with one."
    ours, names = {one.name for one in project.classes()}, set(whole.class_names)
    forgotten = sorted((set(known.classes) & ours) - names) if known else []
    if forgotten:
        listed = ", ".join(f"'{name}'" for name in forgotten)
        yield f"The new model will not know {listed}: no reviewed image shows an object of that class."
