"""Before a fine-tuning: newly reviewed images are looked at, and assigned to learning or measuring.

No torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import MediaError
from engine.media.image import read_rgb
from engine.media.likeness import likeness
from engine.messages import Preparing
from engine.project import Project
from engine.project.held_out import Look

AT_ONCE = 50
"""Images assigned in one go, so that stopping loses little."""


def prepare(project: Project, share: float) -> Iterator[Preparing]:
    """Assign every reviewed image that was not yet; may be left at any point and begun again.

    share: of the images that should be held out. An image that cannot be read stays unassigned: it cannot
    be learned from either. Raises ProjectError where the project cannot be written.
    """
    waiting = project.unassigned()
    items = [item for item in project.media() if item.id in waiting]
    looks = []
    for number, item in enumerate(items, start=1):
        try:
            project.ensure_hash(item.id)
            pixels = read_rgb(project.path_of(item), item.frame, item.contrast)
        except MediaError:
            pass  # whoever opens it is told
        else:
            looks.append(Look(item.id, likeness(pixels)))
        if looks and (len(looks) >= AT_ONCE or number == len(items)):
            project.assign_held_out(looks, share)
            looks = []
        yield Preparing(number, len(items))
