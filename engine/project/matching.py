"""Which file is which after a folder changed: known files against those found, by content. Pure.

A file keeps its identity under a new name when its content is known (or, never hashed, when its
size and time of change are unmistakable). Other content under an old name is a change, not a new
file. Knows no database; a file is hashed only where its name, size and time leave it open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from engine.media.scan import ScannedFile


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the project remembers it; `media_ids` are its frames. `content_hash` may be empty."""

    media_ids: tuple[int, ...]
    path: str
    size: int
    mtime_ns: int
    content_hash: str
    missing: bool


@dataclass(frozen=True, slots=True)
class Match:
    """A known file and what it is now. `content_hash` is empty where the file was not read."""

    known: KnownFile
    file: ScannedFile
    content_hash: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan found. Every file that differs from what is known is in exactly one of these."""

    added: tuple[ScannedFile, ...] = ()
    renamed: tuple[Match, ...] = ()  # same content, other name
    returned: tuple[Match, ...] = ()  # was missing; same content, same name
    touched: tuple[Match, ...] = ()  # same content, same name, other time
    changed: tuple[Match, ...] = ()  # other content, same name
    missing: tuple[KnownFile, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs from what the project remembers."""
        return not (
            self.added or self.renamed or self.returned or self.touched or self.changed or self.missing
        )


def match_files(
    known: Sequence[KnownFile], found: Sequence[ScannedFile], hash_of: Callable[[str], str]
) -> Plan:
    """Compare. `known` may leave out files that are unchanged and present, if `found` does too.

    `hash_of(path)` is the content hash of a found file, or empty where it cannot be read: such a
    file stays as it is remembered.
    """
    return _Matching(known, found, hash_of).plan()


class _Matching:
    """The working state: known files without a home, found files without an identity."""

    def __init__(
        self, known: Sequence[KnownFile], found: Sequence[ScannedFile], hash_of: Callable[[str], str]
    ) -> None:
        self._hash_of = hash_of
        self._hashes: dict[str, str] = {}
        self._open = {file.path: file for file in found}
        self._homeless: dict[KnownFile, None] = {}  # ordered
        self._touched: list[Match] = []
        for item in known:
            self._sort_in(item)
        self._matched: list[Match] = []

    def plan(self) -> Plan:
        self._match_by_content()
        self._match_by_stat()
        changed = self._match_by_name()
        moved = [match for match in self._matched if match.known.path != match.file.path]
        return Plan(
            added=tuple(self._open.values()),
            renamed=tuple(moved),
            returned=tuple(match for match in self._matched if match.known.path == match.file.path),
            touched=tuple(self._touched),
            changed=tuple(changed),
            missing=tuple(item for item in self._homeless if not item.missing),
        )

    def _sort_in(self, item: KnownFile) -> None:
        file = self._open.get(item.path)
        if file is None or item.missing:
            self._homeless[item] = None
        elif (file.size, file.mtime_ns) == (item.size, item.mtime_ns):
            del self._open[item.path]
        elif not item.content_hash:
            self._homeless[item] = None
        else:
            content = self._hash(file)
            if content in ("", item.content_hash):
                if content:
                    self._touched.append(Match(item, file, content))
                del self._open[item.path]
            else:
                self._homeless[item] = None

    def _match_by_content(self) -> None:
        by_hash: dict[str, list[KnownFile]] = defaultdict(list)
        for item in self._homeless:
            if item.content_hash:
                by_hash[item.content_hash].append(item)
        sizes = {item.size for items in by_hash.values() for item in items}
        candidates = [file for file in self._open.values() if file.size in sizes]
        # Of several with the same content, the one of the same name goes first.
        for alike in (_same_path, _same_name, _any):
            for file in candidates:
                if file.path not in self._open:
                    continue
                content = self._hash(file)
                for item in by_hash.get(content, ()):
                    if alike(item, file):
                        by_hash[content].remove(item)
                        self._settle(item, file, content)
                        break

    def _match_by_stat(self) -> None:
        """Files that were never hashed: the same size and nanosecond, when only one pair has them."""
        for with_name in (True, False):
            items = [item for item in self._homeless if not item.content_hash]
            wanted = Counter(_stat_of(item, with_name=with_name) for item in items)
            offered = Counter(_stat_of(file, with_name=with_name) for file in self._open.values())
            files = {_stat_of(file, with_name=with_name): file for file in self._open.values()}
            for item in items:
                stat = _stat_of(item, with_name=with_name)
                if wanted[stat] == offered[stat] == 1:
                    self._settle(item, files[stat], "")

    def _match_by_name(self) -> list[Match]:
        """What is left under its old name holds other content now. Files on disk go before missing ones."""
        changed = []
        for item in sorted(self._homeless, key=lambda item: item.missing):
            file = self._open.get(item.path)
            if file is not None:
                changed.append(Match(item, file, self._hashes.get(file.path, "")))
                del self._open[item.path]
                del self._homeless[item]
        return changed

    def _settle(self, item: KnownFile, file: ScannedFile, content: str) -> None:
        self._matched.append(Match(item, file, content))
        del self._homeless[item]
        del self._open[file.path]

    def _hash(self, file: ScannedFile) -> str:
        if file.path not in self._hashes:
            self._hashes[file.path] = self._hash_of(file.path)
        return self._hashes[file.path]


def _same_path(item: KnownFile, file: ScannedFile) -> bool:
    return item.path == file.path


def _same_name(item: KnownFile, file: ScannedFile) -> bool:
    return _name(item.path) == _name(file.path)


def _any(_item: KnownFile, _file: ScannedFile) -> bool:
    return True


def _stat_of(file: KnownFile | ScannedFile, *, with_name: bool) -> tuple[int, int, str]:
    return file.size, file.mtime_ns, _name(file.path) if with_name else ""


def _name(path: str) -> str:
    return PurePosixPath(path).name
