"""A project of toy pictures that a person has reviewed, and a store with a model to start from."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from engine.document.diff import Diff
from engine.document.records import IMAGE_STATE_ID, ImageState, Instance, Record, ReviewState, new_id
from engine.messages import Canceled, Event, Failed, Finished, Tuning, TuningNews
from engine.models.store import ModelStore
from engine.project import Project
from tests.engine.train.toy import toy_set

SLIM = "maskrcnn_resnet18_slim_fpn"


def reviewed_project(folder: Path, count: int = 6, *, seed: int = 0, unseen: int = 0) -> Path:
    """A folder of `count` pictures, all reviewed with their two discs; `unseen` more are not."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = toy_set(folder, count + unseen, seed=seed)
    with Project.open(folder) as project:
        project.refresh()
        disc = project.ensure_class("disc")
        by_name = {image.path.name: image for image in truth.images[:count]}
        for item in project.media():
            if item.path not in by_name:
                continue
            instances = [replace(one, id=new_id(), class_id=disc.id) for one in by_name[item.path].instances]
            review(project, item.id, instances)
        project.flush()
    return folder


def review(project: Project, media_id: int, instances: list[Instance]) -> None:
    """One edit: these instances, and the image is reviewed."""
    before = project.load(media_id).state
    added: dict[int, Record] = {one.id: one for one in instances}
    after = ImageState(ReviewState.REVIEWED)
    state = {IMAGE_STATE_ID: (before, after)} if before != after else {}
    project.save(media_id, Diff(added=added, updated=state), name="Review").result()


def base_model(root: Path, name: str = "base") -> ModelStore:
    """A store with a slim model of random weights."""
    from engine.models.version import save_version
    from tests.engine.networks import card_of, lively_network

    network = lively_network(SLIM, 96, 160)
    save_version(root, name, network, replace(card_of(network, SLIM), name=name))
    return ModelStore(root)


def until_end(events: queue.SimpleQueue[Event], seconds: float = 120) -> Iterator[TuningNews | Event]:
    """What comes of one order, the ending last; a fine-tuning's news without its wrapping."""
    while True:
        event = events.get(timeout=seconds)
        yield event.news if isinstance(event, Tuning) else event
        if isinstance(event, (Finished, Failed, Canceled)):
            return
