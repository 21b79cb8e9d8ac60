"""The images of the open project as the window lists them: which there are, their order, where one goes next.

Knows records only; what is read from the disk comes as a `Found`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.document.records import ImageState, MediaItem, ReviewState
from gui.opening import Found, sorted_items


@dataclass(slots=True, eq=False)
class Listing:
    """Looked up, not searched through: there may be 100,000.

    media: what is listed. items: every image by its id; also frames of films of which nothing is on record,
    which are not listed. states: of those that somebody, or a model, touched. order: of the list as it is
    sorted and filtered. places: where each stands in it.
    """

    media: tuple[MediaItem, ...] = ()
    items: dict[int, MediaItem] = field(default_factory=dict)
    states: dict[int, ImageState] = field(default_factory=dict)
    order: tuple[int, ...] = ()
    places: dict[int, int] = field(default_factory=dict)
    _listed: set[int] = field(default_factory=set)  # the ids of `media`

    @classmethod
    def of(cls, found: Found) -> Listing:
        """What was read from a project, all of it in the order of the names."""
        return cls(found.media, found.items, found.states, found.order, found.places, set(found.order))

    def state_of(self, media_id: int) -> ImageState:
        """What is known of an image as a whole."""
        return self.states.get(media_id, ImageState())

    def lists(self, media_id: int) -> bool:
        """Whether an image is among `media`."""
        return media_id in self._listed

    def add(self, item: MediaItem) -> None:
        """List a frame: it has something on record now."""
        self.media = sorted_items((*self.media, item))
        self._listed.add(item.id)

    def set_order(self, ids: Iterable[int]) -> None:
        """Sort and filter so."""
        if (order := tuple(ids)) != self.order:
            self.order = order
            self.places = {media_id: place for place, media_id in enumerate(order)}

    def step(self, current: MediaItem | None, by: int) -> int | None:
        """The image that many places on from the current one; None beyond the ends."""
        place = self.places.get(current.id) if current else None
        if place is None and current is not None:
            before = self._place_before(current)
            place = None if before is None else before + (by < 0)
        to = (0 if by > 0 else len(self.order) - 1) if place is None else place + by
        return self.order[to] if 0 <= to < len(self.order) else None

    def to_look_at(self, current: MediaItem | None, by: int) -> int | None:
        """The next (1) or previous (-1) image that is neither reviewed nor put off, going round."""
        count = len(self.order)
        here = self.places.get(current.id, -1) if current else -1
        for step in range(1, count + 1):
            media_id = self.order[(here + by * step) % count]
            state = self.state_of(media_id)
            wants = state.review is not ReviewState.REVIEWED and not state.skip
            if wants and not self.items[media_id].missing and (here < 0 or step < count):
                return media_id
        return None

    def neighbours(self, current: MediaItem | None, places: Iterable[int]) -> tuple[MediaItem, ...]:
        """The images that many places from the current one whose files are there."""
        if current is None or current.id not in self.places:
            return ()
        here = self.places[current.id]
        near = (here + by for by in places)
        found = (self.items[self.order[place]] for place in near if 0 <= place < len(self.order))
        return tuple(item for item in found if not item.missing)

    def _place_before(self, item: MediaItem) -> int | None:
        """Where the list has the last frame of the same file that comes before this one."""
        earlier = [
            (other.frame, place)
            for media_id, place in self.places.items()
            if (other := self.items[media_id]).path == item.path and other.frame < item.frame
        ]
        return max(earlier)[1] if earlier else None
