"""The files that are to be read: named one by one, by a pattern, by a folder, or by a manifest.

They are found again in every process of a job, and must be the same there: names and sizes are compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import attrs

from dynattrs.jobs.files.errors import FilesError, NoFile
from dynattrs.jobs.files.formats import Format, check_file, format_named, format_of
from dynattrs.jobs.files.manifests import (
    Kind,
    is_manifest,
    manifests_in,
    read_manifest,
)
from dynattrs.jobs.files.named_places import place_of, split_pattern
from dynattrs.jobs.files.places import Place, is_pattern

#: A file that can be read from any place on is read in parts of so many bytes, at the same time.
PART: Final = 16 * 1024 * 1024


@attrs.frozen
class Input:
    """A file, or a part of one.

    Attributes:
        place: Its folder.
        name: Its name there.
        format: Its format.
        size: Its bytes.
        checksum: What a manifest says of it.
        items: How many items a manifest says it has.
        model: The name of the model that a manifest says.
        guards: Whether the guards of unique values come with the items, as far as a manifest says.
        start: Where the part begins; a line that begins before belongs to the part before.
        until: Where it ends; None for the file's end.
    """

    place: Place
    name: str
    format: Format
    size: int
    checksum: str | None = None
    items: int | None = None
    model: str | None = None
    guards: bool = True
    start: int = 0
    until: int | None = None

    @property
    def text(self) -> str:
        return f"{self.place.text.rstrip('/')}/{self.name}"


@attrs.frozen
class Inputs:
    """What there is to read.

    Attributes:
        parts: Files, large ones in parts.
        kind: Whether they hold items, or what has become of items.
        digest: Says which files they are.
    """

    parts: tuple[Input, ...]
    kind: Kind
    digest: str


def find_inputs(what: Sequence[str], format: str | None, options: Any) -> Inputs:
    """The files that a caller names.

    Args:
        what: Paths, `s3://` addresses, patterns, folders, manifests.
        format: The format's name, where names do not say it.
        options: How S3 is reached.

    Raises:
        FilesError: There is nothing, or not what a manifest says.
        ModelError: The format is unknown.
    """
    given = None if format is None else format_named(format)
    files: list[Input] = []
    kinds: set[Kind] = set()
    for text in what:
        for kind, each in _found(text, given, options):
            kinds.add(kind)
            if each is not None:
                files.append(each)
    if not kinds:
        raise FilesError(", ".join(what), "no files to read were found", "check the names")
    if len(kinds) > 1:
        raise FilesError(
            ", ".join(what), "full and incremental exports", "import one after the other"
        )
    unique = {each.text: each for each in files}
    digest = hashlib.sha256()
    for text, each in unique.items():
        digest.update(f"{text}\0{each.size}\0{each.format.name}\n".encode())
    parts = tuple(part for each in unique.values() for part in _parts(each))
    return Inputs(parts, kinds.pop(), digest.hexdigest()[:32])


def _found(text: str, given: Format | None, options: Any) -> Iterator[tuple[Kind, Input | None]]:
    if is_pattern(text):
        folder, pattern = split_pattern(text)
        place = place_of(folder, options)
        place.check(writing=False)
        for info in place.files(pattern):
            if not is_manifest(info.name):
                yield "full", _input(place, info.name, info.size, given)
        return
    if text.endswith("/") or _is_folder(text):
        yield from _folder(place_of(text, options), given)
        return
    # A file; or a prefix of S3, which looks alike.
    parent, _, name = text.replace(os.sep, "/").rpartition("/")
    at_top = text.startswith("s3://") and parent in ("s3:/", "s3:")
    if not at_top and name:
        place = place_of(parent or "." if "/" in text else ".", options)
        found = place.find(name)
        if found is not None:
            if is_manifest(name):
                yield from _by_manifest(place, name)
            else:
                yield "full", _input(place, name, found.size, given)
            return
    if not text.startswith("s3://"):
        raise NoFile(text, "the file or folder does not exist", "check the path")
    yield from _folder(place_of(text, options), given)


def _is_folder(text: str) -> bool:
    return not text.startswith("s3://") and os.path.isdir(os.path.expanduser(text))  # noqa: PTH111, PTH112


def _folder(place: Place, given: Format | None) -> Iterator[tuple[Kind, Input | None]]:
    place.check(writing=False)
    manifests = manifests_in(place)
    if len(manifests) > 1:
        raise FilesError(
            place.text,
            f"there are {len(manifests)} manifests: {', '.join(manifests[:5])}",
            "name one of them",
        )
    if manifests:
        yield from _by_manifest(place, manifests[0])
        return
    for info in place.files():
        found = given or format_of(info.name)
        if found is not None and not info.name.startswith((".", "_")):
            yield "full", _input(place, info.name, info.size, given)


def _by_manifest(place: Place, name: str) -> Iterator[tuple[Kind, Input | None]]:
    manifest = read_manifest(place, name)
    format_ = format_named(manifest.format)
    yield manifest.kind, None  # of an empty table there are no files
    sizes = _sizes(place, {entry.name.rpartition("/")[0] for entry in manifest.files})
    for entry in manifest.files:
        size = sizes.get(entry.name)
        where = f"{place.text.rstrip('/')}/{entry.name}"
        if size is None:
            raise FilesError(where, f"it is missing, and {name} names it", "fetch it again")
        if entry.bytes not in (-1, size):
            problem = f"it has {size} bytes, and {name} says {entry.bytes}"
            raise FilesError(where, problem, "fetch it again")
        if entry.items or entry.bytes != -1 or size:
            yield (
                manifest.kind,
                Input(
                    place,
                    entry.name,
                    format_,
                    size,
                    checksum=entry.checksum,
                    items=entry.items,
                    model=entry.model,
                    guards=bool(manifest.about.get("guards", True)),
                ),
            )


def _sizes(place: Place, folders: Iterable[str]) -> dict[str, int]:
    """The files of some folders with their sizes: one list says it of very many."""
    found: dict[str, int] = {}
    for name in folders:
        inside = place.folder(name) if name else place
        with contextlib.suppress(NoFile):
            for info in inside.files():
                found[f"{name}/{info.name}" if name else info.name] = info.size
    return found


def _input(place: Place, name: str, size: int, given: Format | None) -> Input:
    found = given or format_of(name)
    if found is None:
        raise FilesError(
            f"{place.text.rstrip('/')}/{name}",
            "its name does not say its format",
            'say format="jsonl", …',
        )
    check_file(found, name)
    return Input(place, name, found, size)


def _parts(file: Input) -> Iterator[Input]:
    if file.format.name != "jsonl" or file.name.endswith(".gz") or file.size < 2 * PART:
        yield file
        return
    for start in range(0, file.size, PART):
        yield attrs.evolve(file, start=start, until=min(start + PART, file.size))


# --- Remembered in a process ----------------------------------------------------------------------

_known: OrderedDict[Any, Inputs] = OrderedDict()
_lock: Final = threading.Lock()


def same_inputs(what: Sequence[str], format: str | None, options: Any, digest: str) -> Inputs:
    """The inputs of a job that has begun, found once in a process.

    Raises:
        FilesError: They are others than when it began.
    """
    key = (tuple(what), format, options, digest)
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    found = find_inputs(what, format, options)
    if found.digest != digest:
        raise FilesError(
            ", ".join(what),
            "files were added, removed or changed since the job began",
            "put back what was there, or begin a job of another name",
        )
    with _lock:
        _known[key] = found
        _keep_few()
    return found


def _keep_few() -> None:
    while len(_known) > 4:
        _known.popitem(last=False)


def texts_of(what: object) -> tuple[str, ...]:
    """What a caller names, as texts that mean the same in every process.

    Raises:
        FilesError: It names nothing.
    """
    several: Iterable[Any] = (what,)
    if isinstance(what, Iterable) and not isinstance(what, (str, bytes, os.PathLike)):
        several = what
    found: list[str] = []
    for each in several:
        text = os.fspath(each) if isinstance(each, (str, os.PathLike)) else None
        if not isinstance(text, str) or not text:
            raise FilesError(
                repr(each), "it is not a path", "give a path or s3://bucket/key, or a list of them"
            )
        if text.startswith("s3://"):
            found.append(text)
            continue
        if "://" in text:
            raise FilesError(text, "it is neither a path nor s3://bucket/key")
        end = "/" if text.endswith(("/", os.sep)) else ""
        found.append(os.path.abspath(os.path.expanduser(text)) + end)  # noqa: PTH100, PTH111
    if not found:
        raise FilesError(repr(what), "it names no file", "give a path")
    return tuple(found)
