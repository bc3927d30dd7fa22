"""Where a job writes down how far it is: records that change under a condition.

Everything above it, who owns which segment and what counts, is made of these few acts, once for all
places: see `jobs.ledger`. A place is a table (`in_table`) or a folder (`in_folder`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import attrs

from dynattrs.jobs.session_specs import SessionSpec


@attrs.frozen
class Record:
    """Something that is written down of a job.

    Attributes:
        key: Its name among the job's records: parts with `/` between them.
        revision: How often it was written; 0 stands for a record that there is not.
        body: What it says.
    """

    key: str
    revision: int
    body: Mapping[str, Any] = attrs.field(factory=dict)


class Store(Protocol):
    """The records of one job, for any number of processes at once. Threads may share it."""

    def read(self, key: str) -> Record | None:
        """A record as every acknowledged write has left it; None where there is none."""
        ...

    def read_all(self, prefix: str = "") -> Iterator[Record]:
        """The records whose keys begin with a prefix, in the order of their keys."""
        ...

    def write(self, record: Record) -> bool:
        """Write a record of revision n where the one that is stored is of revision n - 1, or where there is
        none and n is 1; whether this has written it. After a lost reply it finds out whether it has.

        Raises:
            CheckpointsFailed: There is no place for it.
        """
        ...

    def add(self, record: Record) -> None:
        """Write a record under a key that was never used, and that nothing else writes.

        Raises:
            CheckpointsFailed: There is no place for it.
        """
        ...

    def remove(self, record: Record) -> bool:
        """Remove a record if it still is as it was read; whether this has removed it, or may have done so
        where a reply was lost.
        """
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove records, whatever they say."""
        ...


@runtime_checkable
class Checkpoints(Protocol):
    """A place for the records of jobs. It is a value that can be pickled."""

    def store(self, job: str, session: SessionSpec) -> Store:
        """The records of the job of that name.

        Args:
            job: The job's name.
            session: How the job makes its sessions, where the place is a table.
        """
        ...

    def jobs(self, session: SessionSpec) -> Iterator[str]:
        """The names of the jobs that have records."""
        ...
