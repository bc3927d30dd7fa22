"""Checkpoints in a folder, one file a record, for processes of one machine or of a shared file system.

A file appears and changes in one piece: it is written beside its place and flushed to the disk, then
compared and renamed while a lock of the job is held. The lock is the operating system's, which frees it
when its holder dies. A holder that is stopped keeps it, so it is held for as few steps as that needs, and
those that wait give up after a while. The job's last record takes the folder and the lock with it: a process
that had waited for that lock begins again with the new one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import sys
import time
import urllib.parse
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from dynattrs.errors import ModelError
from dynattrs.jobs.checkpoints import Checkpoints, Record, Store
from dynattrs.jobs.errors import CheckpointsFailed
from dynattrs.jobs.session_specs import SessionSpec

#: The file that says which job a folder is of.
_NAME: Final = "name.json"
_JOB: Final = "job.json"
_LOCK: Final = "lock"
#: What is told of a folder that is not there, or goes meanwhile.
_GONE: Final = (FileNotFoundError, NotADirectoryError)
#: Seconds that a process waits for the lock, which is held for a few system calls.
_PATIENCE: Final = 30.0
#: A folder's name has room for 255 bytes on most file systems.
_LONGEST: Final = 100
#: Names that are a folder's as they are; others are no names, or not different ones, on some file system.
_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*", re.ASCII)


def in_folder(path: str | os.PathLike[str]) -> Checkpoints:
    """Keep the checkpoints of jobs in a folder, which is made on first use.

    Every process of a job needs the folder: those of one machine, or of several that share a file system
    with locks.

    Args:
        path: The folder. A relative one is of the process that begins the job.

    Raises:
        ModelError: It is no path.
    """
    given: object = path
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise ModelError("in_folder", f"{path!r}: the path of a folder is expected")
    return FolderCheckpoints(str(Path(path).absolute()))


@attrs.frozen
class FolderCheckpoints:
    """What `in_folder` gives.

    Attributes:
        path: The folder, absolute.
    """

    path: str

    def __str__(self) -> str:
        return f"folder {self.path!r}"

    def store(self, job: str, session: SessionSpec) -> Store:
        return FolderStore(self, job)

    def jobs(self, session: SessionSpec) -> Iterator[str]:
        with _told(str(self)):
            folder = Path(self.path)
            for each in sorted(folder.iterdir()) if folder.is_dir() else ():
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    name: str = json.loads((each / _NAME).read_bytes())["job"]
                    if (each / _JOB).exists():  # else a late worker has left something
                        yield name


class FolderStore:
    """The records of one job in a folder."""

    def __init__(self, place: FolderCheckpoints, job: str) -> None:
        self._place = str(place)
        self._job = job
        self._folder = Path(place.path) / folder_name(job)

    def read(self, key: str) -> Record | None:
        with _told(self._place):
            return self._read(self._file(key), key)

    def read_all(self, prefix: str = "") -> Iterator[Record]:
        folder = prefix.rpartition("/")[0]
        with _told(self._place):
            for key in sorted(self._keys(folder)):
                if key.startswith(prefix):
                    # One that was removed meanwhile is not there.
                    found = self._read(self._file(key), key)
                    if found is not None:
                        yield found

    def write(self, record: Record) -> bool:
        with _told(self._place):
            deadline = time.monotonic() + _PATIENCE
            while True:
                try:
                    return self._write(record)
                except FileNotFoundError:
                    # An earlier job of that name was forgotten just now, and its folder removed.
                    if record.revision != 1 or time.monotonic() > deadline:
                        raise

    def add(self, record: Record) -> None:
        with _told(self._place):
            file = self._file(record.key)
            with self._beside(record) as beside:
                beside.replace(file)
            _flush_folder(file.parent)

    def remove(self, record: Record) -> bool:
        with _told(self._place), contextlib.suppress(*_GONE), self._locked():
            file = self._file(record.key)
            if self._read(file, record.key) == record:
                file.unlink()
                self._prune()
                return True
        return False

    def delete(self, keys: Iterable[str]) -> None:
        with _told(self._place), contextlib.suppress(*_GONE), self._locked():
            for key in keys:
                self._file(key).unlink(missing_ok=True)
            self._prune()

    def _write(self, record: Record) -> bool:
        if record.revision == 1:
            self._make()
        file = self._file(record.key)
        with self._beside(record) as beside, self._locked():
            found = self._read(file, record.key)
            if record.revision != (1 if found is None else found.revision + 1):
                return False
            if record.revision == 1:
                self._name()
            beside.replace(file)
        _flush_folder(file.parent)
        return True

    def _file(self, key: str) -> Path:
        return self._folder.joinpath(*f"{key}.json".split("/"))

    def _keys(self, folder: str) -> Iterator[str]:
        for root, _, names in os.walk(self._folder / folder):
            above = Path(root).relative_to(self._folder).as_posix()
            for name in names:
                if name.endswith(".json") and (above != "." or name != _NAME):
                    yield f"{above}/{name}".removeprefix("./").removesuffix(".json")

    def _read(self, file: Path, key: str) -> Record | None:
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            found = json.loads(text)
            return Record(key, found["revision"], found["body"])
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointsFailed(
                self._place, f"{file} is not a record of a job ({error}); it was changed by hand"
            ) from error

    def _make(self) -> None:
        """Make the folder of the job."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
            raise CheckpointsFailed(
                self._place, f"{self._folder} cannot be made: {error.strerror}; name another folder"
            ) from error

    def _name(self) -> None:
        """Write the name of the job into its folder, while the lock is held."""
        name = self._folder / _NAME
        if not name.exists():
            with _written_beside(name, {"job": self._job}) as beside:
                beside.replace(name)
            _flush_folder(self._folder)

    def _beside(self, record: Record) -> contextlib.AbstractContextManager[Path]:
        """A file with a record, beside its place. Raises: FileNotFoundError: The job's folder is gone."""
        file = self._file(record.key)
        if not self._folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the folder is gone", str(self._folder))
        file.parent.mkdir(parents=True, exist_ok=True)
        return _written_beside(file, {"revision": record.revision, "body": record.body})

    def _prune(self) -> None:
        """Remove what is left of a job without records, while the lock is held. While it has some, others
        write beside. The lock comes last: with it, others may come in.
        """
        if next(self._keys(""), None) is not None:
            return
        for root, _, names in os.walk(self._folder, topdown=False):
            folder = Path(root)
            if folder == self._folder and any(
                each.is_dir() or each.name not in (_NAME, _LOCK) for each in folder.iterdir()
            ):
                return
            with contextlib.suppress(OSError):
                for name in sorted(names, key=lambda name: name == _LOCK):
                    if folder == self._folder or name.startswith("."):
                        (folder / name).unlink()
                folder.rmdir()

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        lock = self._folder / _LOCK
        while True:
            handle = os.open(lock, flags, 0o666)
            try:
                self._await_lock(handle)
                if _is_file(handle, lock):
                    yield
                    return
            finally:
                os.close(handle)  # which frees it

    def _await_lock(self, handle: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        pause = 0.001
        while not _lock(handle):
            if time.monotonic() > deadline:
                raise CheckpointsFailed(
                    self._place,
                    f"another process has held {self._folder / _LOCK} for {_PATIENCE:.0f} seconds, so it was"
                    " stopped (by SIGSTOP or a debugger); end it or let it go on, then call job.resume()",
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.05)


@contextlib.contextmanager
def _written_beside(file: Path, what: Any) -> Generator[Path]:
    """A file with what is to stand at a place, flushed to the disk; gone afterwards, unless it was moved."""
    beside = file.with_name(f".{file.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as out:
            out.write(json.dumps(what, indent=1, ensure_ascii=True).encode())
            out.flush()
            os.fsync(out.fileno())
        yield beside
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _is_file(handle: int, path: Path) -> bool:
    """Whether an open file is the one at a path, and was not removed."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def folder_name(job: str) -> str:
    """The name of a job's folder: different for different jobs on every file system."""
    if _PLAIN.fullmatch(job) and len(job) <= _LONGEST:
        return job
    digest = hashlib.sha256(job.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    shown = urllib.parse.quote(job, safe="", errors="replace").replace("%", "_")
    shown = re.sub(r"[^a-z0-9_-]", "-", shown.lower())[: _LONGEST - 20]
    # No name of the other form has two tildes.
    return f"~{shown}~{digest}"


@contextlib.contextmanager
def _told(place: str) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointsFailed(
            place, f"{error.filename} is gone: the folder was removed while the job ran"
        ) from error
    except OSError as error:
        remedy = {
            errno.ENOSPC: "the disk is full; make room and call job.resume()",
            errno.EDQUOT: "the quota is used up; make room and call job.resume()",
            errno.EACCES: "this user may not write there",
            errno.EROFS: "the file system cannot be written to",
        }.get(error.errno or 0, "nothing more is written down")
        raise CheckpointsFailed(place, f"{error}; {remedy}") from error


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        """Take the lock of an open file; False where another process has it."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EDEADLK):
                raise
            return False
        return True

    def _flush_folder(folder: Path) -> None:
        """It has no such thing."""

else:
    import fcntl

    def _lock(handle: int) -> bool:
        """Take the lock of an open file; False where another process has it."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _flush_folder(folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
