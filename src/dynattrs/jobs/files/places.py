"""Folders that files are written to and read from: local ones, and those of S3 by `s3://bucket/prefix`.

A new file appears in one piece, under a name that is not used yet; nothing is written over another.
Names are relative, with `/` between their parts.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import re
import secrets
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, BinaryIO, Final, Protocol

import attrs

from dynattrs.jobs.files.errors import FilesError, NoFile

#: How the names end of local files that are still being written. They begin with a dot.
PARTIAL: Final = ".partial"
#: What to do about a file that exists already.
IN_THE_WAY: Final = "write to another folder, or delete it first"
_ELSEWHERE: Final = "choose another path"
_RIGHTS: Final = "give this user the right to it, or choose another path"
_ROOM: Final = "free some space, or choose another disk"
#: What to do about what the system says.
_REMEDIES: Final = {
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "choose a path that can be written to",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.ENAMETOOLONG: "choose a shorter name",
}
WILD: Final = re.compile(r"[*?\[]")


@attrs.frozen
class FileInfo:
    """A file of a folder: its name there, and its bytes."""

    name: str
    size: int


class NewFile(Protocol):
    """A file that is being written."""

    def write(self, data: bytes, /) -> object: ...
    def end(self) -> None:
        """Let it appear under its name; it is durable when this has returned."""
        ...

    def abandon(self) -> None:
        """Leave nothing of it, also where it has appeared."""
        ...


class Place(Protocol):
    """A folder."""

    @property
    def text(self) -> str:
        """Its path or address."""
        ...

    def check(self, *, writing: bool) -> None:
        """Find out whether it can be used; for writing it is made where it is missing.

        Raises:
            FilesError: It cannot.
        """
        ...

    def new_file(self, name: str) -> NewFile:
        """A file that appears when it has ended.

        Raises:
            FilesError: There is a file of that name, or none can be made.
        """
        ...

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """A file's bytes from *start* on.

        Raises:
            NoFile: There is none.
        """
        ...

    def files(self, pattern: str = "*") -> Iterator[FileInfo]:
        """The files whose names fit: `*`, `?` and `[abc]` stand for no `/`, and `**/` for any folders."""
        ...

    def folder(self, name: str) -> Place:
        """A folder in it, or, by `..`, above."""
        ...

    def find(self, name: str) -> FileInfo | None: ...
    def delete(self, name: str) -> None: ...
    def delete_partial(self, beginning: str) -> int:
        """Remove what was begun under names with that beginning and never ended; how many there were."""
        ...


# --- Local folders ------------------------------------------------------------------------------


@attrs.frozen
class LocalFolder:
    """A folder of this machine, or one that all machines of a job have under the same path."""

    path: str

    @property
    def text(self) -> str:
        return self.path

    def check(self, *, writing: bool) -> None:
        folder = Path(self.path)
        with _explained(self.path):
            if folder.exists() and not folder.is_dir():
                raise FilesError(self.path, "it is a file", "name a folder")
            if writing:
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                except FileNotFoundError as error:  # the folder of something that is not a disk
                    there = next(each for each in folder.absolute().parents if each.exists())
                    raise FilesError(
                        self.path, f"the folder cannot be made: {there} takes none", _ELSEWHERE
                    ) from error
            elif not folder.exists():
                raise NoFile(self.path, "the folder does not exist", "check the path")

    def new_file(self, name: str) -> NewFile:
        return _LocalFile(Path(self.path), name)

    def open(self, name: str, start: int = 0) -> BinaryIO:
        with _explained(f"{self.path}/{name}"):
            file = Path(self.path, name).open("rb")  # noqa: SIM115 - the caller closes it
            file.seek(start)
            return file

    def files(self, pattern: str = "*") -> Iterator[FileInfo]:
        folder = Path(self.path)
        deep = "/" in pattern
        fits = pattern_of(pattern)
        for parent, folders, names in os.walk(folder):
            folders.sort()
            if not deep:
                folders.clear()
            for name in sorted(names):
                path = Path(parent, name)
                relative = path.relative_to(folder).as_posix()
                if fits.fullmatch(relative) and not (name[0] == "." and name.endswith(PARTIAL)):
                    with contextlib.suppress(FileNotFoundError):  # it has gone meanwhile
                        yield FileInfo(relative, path.stat().st_size)

    def folder(self, name: str) -> LocalFolder:
        return LocalFolder(os.path.normpath(Path(self.path, name)))

    def find(self, name: str) -> FileInfo | None:
        path = Path(self.path, name)
        return FileInfo(name, path.stat().st_size) if path.is_file() else None

    def delete(self, name: str) -> None:
        with _explained(f"{self.path}/{name}"):
            Path(self.path, name).unlink(missing_ok=True)

    def delete_partial(self, beginning: str) -> int:
        found = 0
        for path in Path(self.path).iterdir():
            if path.name.startswith(f".{beginning}") and path.name.endswith(PARTIAL):
                path.unlink(missing_ok=True)
                found += 1
        return found


class _LocalFile:
    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._path = folder / name
        # Another process may be writing it at the same time, or have been killed while it did.
        self._partial = folder / f".{name}.{secrets.token_hex(4)}{PARTIAL}"
        self._ended = False
        with _explained(str(self._path)):
            if self._path.exists():
                raise FilesError(str(self._path), "the file already exists", IN_THE_WAY)
            self._file: IO[bytes] = self._partial.open("xb")

    def write(self, data: bytes, /) -> object:
        with _explained(str(self._path)):
            return self._file.write(data)

    def end(self) -> None:
        with _explained(str(self._path)):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if self._path.exists():
                raise FilesError(str(self._path), "the file already exists", IN_THE_WAY)
            self._partial.rename(self._path)
            self._ended = True
            sync_folder(self._folder)

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            (self._path if self._ended else self._partial).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Let a new name in a folder outlast a loss of power, where the system can do that."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _explained(place: str) -> Generator[None]:
    try:
        yield
    except FilesError:
        raise
    except FileNotFoundError as error:
        raise NoFile(place, "the file or folder does not exist", "check the path") from error
    except NotADirectoryError as error:
        beginnings = (Path(place), *Path(place).parents)
        file = next((each for each in beginnings if each.exists() and not each.is_dir()), place)
        raise FilesError(place, f"{file} is not a folder", _ELSEWHERE) from error
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "check the path")
        raise FilesError(place, error.strerror or str(error), remedy) from error


# --- Patterns -----------------------------------------------------------------------------------


def pattern_of(pattern: str) -> re.Pattern[str]:
    """A pattern of names, in which `*` stands for no `/`."""
    parts = []
    for part in pattern.split("/"):
        if part == "**":
            parts.append("(?:.*/)?")
            continue
        made = fnmatch.translate(part)
        made = made.removeprefix("(?s:").removesuffix(r")\Z").removesuffix(r")\z")
        parts.append(made.replace(".*", "[^/]*") + "/")
    text = "".join(parts).removesuffix("/")
    return re.compile(text, re.DOTALL)


def is_pattern(text: str) -> bool:
    return WILD.search(text) is not None
