"""Manifests: which files of a folder count. Ours, and those of the service's own exports.

Ours is written last, as one JSON document with a file a line:

    {"dynattrs": 1, "job": "nightly", "format": "jsonl", …, "files": [
    {"name": "nightly-….jsonl.gz", "items": 800, "bytes": 41123, "checksum": "sha256:…", "model": null},
    …
    ]}

The service writes `manifest-summary.json` and beside it `manifest-files.json`, with a data file a line.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs
import msgspec

from dynattrs.jobs.files.errors import FilesError, NoFile
from dynattrs.jobs.files.places import Place
from dynattrs.jobs.work import JSON, FileEntry

SUFFIX: Final = ".manifest.json"
_SUMMARY: Final = "manifest-summary.json"
_FILES: Final = "manifest-files.json"
#: The form of manifests that this version writes, and the newest that it reads.
_VERSION: Final = 1

#: What an export holds: whole items, or what has become of those that were changed.
Kind: TypeAlias = Literal["full", "incremental"]


@attrs.frozen
class Manifest:
    """What a manifest says.

    Attributes:
        name: Its name in the folder.
        kind: What the files hold.
        format: The format's name.
        about: All else that it says.
        files: The files that count. Their names are relative to the folder.
    """

    name: str
    kind: Kind
    format: str
    about: Mapping[str, Any]
    files: tuple[FileEntry, ...]


def write_manifest(
    place: Place, name: str, about: Mapping[str, JSON], files: Iterable[FileEntry]
) -> bool:
    """Write a manifest, file by file; False where there is one already, another process' by then too.

    Args:
        place: The folder.
        name: The manifest's name.
        about: What it says besides.
        files: The files that count.
    """
    from dynattrs.jobs.files.output import Output

    if place.find(name) is not None:
        return False
    output = Output(place, name, None)
    count = 0
    try:
        head = json.dumps({"dynattrs": _VERSION, **about}, ensure_ascii=False)
        output.write(f'{head[:-1]}, "files": [\n'.encode())
        for entry in files:
            line = json.dumps(attrs.asdict(entry), ensure_ascii=False)
            output.write(f"{',' if count else ''}{line}\n".encode())
            count += 1
        output.write(b"]}\n")
        output.end()
    except BaseException as error:
        output.abandon()
        if isinstance(error, FilesError) and place.find(name) is not None:
            return False
        raise
    return True


def manifests_in(place: Place) -> list[str]:
    """The names of a folder's manifests, ours and the service's."""
    return [each.name for each in place.files("*.json") if is_manifest(each.name)]


def is_manifest(name: str) -> bool:
    return name.endswith(SUFFIX) or name.rpartition("/")[2] == _SUMMARY


def read_manifest(place: Place, name: str) -> Manifest:
    """What a manifest says.

    Raises:
        FilesError: It is none, or of a newer version, or of an export in Amazon Ion.
    """
    if name.rpartition("/")[2] == _SUMMARY:
        return _service_manifest(place, name)
    said = _document(place, name)
    try:
        version = said.pop("dynattrs")
        if version > _VERSION:
            raise FilesError(
                f"{place.text}/{name}", "a newer dynattrs has written it", "update this one"
            )
        files = tuple(FileEntry(**each) for each in said.pop("files"))
        return Manifest(name, "full", said["format"], said, files)
    except (KeyError, TypeError) as error:
        raise FilesError(
            f"{place.text}/{name}", f"it is not a manifest of a job ({error!r})"
        ) from error


def _document(place: Place, name: str) -> dict[str, Any]:
    with place.open(name) as file:
        text = file.read()
    with contextlib.suppress(msgspec.DecodeError):
        found = msgspec.json.decode(text)
        if isinstance(found, dict):
            return found
    raise FilesError(f"{place.text}/{name}", "it is not a JSON object", "fetch it again")


# --- The service's ------------------------------------------------------------------------------


def _service_manifest(place: Place, name: str) -> Manifest:
    said = _document(place, name)
    where = f"{place.text}/{name}"
    format_ = said.get("outputFormat")
    if format_ != "DYNAMODB_JSON":
        raise FilesError(
            where, f"the export is in {format_}", "export it with ExportFormat DYNAMODB_JSON"
        )
    kind: Kind = "incremental" if said.get("exportType") == "INCREMENTAL_EXPORT" else "full"
    folder = name.rpartition("/")[0]
    beside = f"{folder}/{_FILES}" if folder else _FILES
    files = tuple(_service_files(place, beside, folder))
    stated = said.get("itemCount")
    counted = sum(each.items for each in files)
    if isinstance(stated, int) and stated != counted:
        raise FilesError(
            where, f"it says {stated} items, and {_FILES} says {counted}", "fetch both again"
        )
    return Manifest(name, kind, "jsonl", said, files)


def _service_files(place: Place, name: str, folder: str) -> Iterator[FileEntry]:
    where = f"{place.text}/{name}"
    try:
        file = place.open(name)
    except NoFile:
        raise FilesError(
            where, "it is missing, and names the files of the export", "fetch it"
        ) from None
    data: str | None = None
    with file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            try:
                said = msgspec.json.decode(line)
                digest = base64.b64decode(said["md5Checksum"]).hex()
                key, items = str(said["dataFileS3Key"]), int(said["itemCount"])
            except (msgspec.DecodeError, KeyError, TypeError, ValueError, binascii.Error) as error:
                problem = f"line {number} names no data file ({error!r})"
                raise FilesError(where, problem, "fetch it again") from error
            if key.endswith((".ion.gz", ".ion")):
                raise FilesError(where, "the export is in Amazon Ion", "export it in DynamoDB JSON")
            base = key.rpartition("/")[2]
            if data is None:
                data = _data_folder(place, folder, base)
            yield FileEntry(f"{data}{base}", items, -1, f"md5:{digest}")


def _data_folder(place: Place, folder: str, base: str) -> str:
    """The folder of an export's data files, as the folder sees it that its manifest was found through: there
    may be a copy of the export, under another prefix or on this machine.

    A full export has `data/` beside its manifests; of an incremental one it lies a folder above.
    """
    inside = f"{folder}/" if folder else ""
    places = [f"{inside}data/", f"{inside}../data/", inside]
    return next((each for each in places if place.find(f"{each}{base}") is not None), places[0])
