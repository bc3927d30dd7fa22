"""The errors of jobs."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from dynattrs.errors import DynattrsError
from dynattrs.quoting import shortened


@attrs.define(eq=False, slots=False, repr=False)
class CheckpointsFailed(DynattrsError):
    """A job's records cannot be read or written: the folder does not exist, the disk is full, or a newer
    version of dynattrs has written them.

    Attributes:
        place: The table or the folder.
        problem: What is wrong, and what to do.
    """

    place: str
    problem: str

    def __str__(self) -> str:
        return f"checkpoints in {self.place}: {self.problem}"


@attrs.define(eq=False, slots=False, repr=False)
class NoSuchJob(DynattrsError, KeyError):
    """No job of that name is among the checkpoints.

    Attributes:
        job: The name.
        place: The table or the folder.
    """

    job: str
    place: str

    def __str__(self) -> str:
        return (
            f"there is no job {self.job!r} in {self.place}; call one of its verbs to begin it, such as "
            f"job.export(...), or check the name and the checkpoints"
        )


@attrs.define(eq=False, slots=False, repr=False)
class OtherJob(DynattrsError, ValueError):
    """A job of that name exists and does something else.

    Attributes:
        job: The name.
        problem: What differs.
    """

    job: str
    problem: str

    def __str__(self) -> str:
        return (
            f"job {self.job!r} {self.problem}; call job.resume() to go on with it as it was begun, give "
            f"this one another name, or remove its records with job.forget()"
        )


@attrs.define(eq=False, slots=False, repr=False)
class JobFailed(DynattrsError):
    """Some segments of a job failed. All others are done, unless they would fail in the same way: no table,
    no permission, no credentials, or twenty failures in a row. Progress is stored: remove the cause, then
    `job.resume()` continues from there.

    Attributes:
        job: The job's name.
        segments: How many segments it has.
        errors: The error of each failed segment, by segment number.
    """

    job: str
    segments: int
    errors: Mapping[int, str]

    def __str__(self) -> str:
        several = list(dict.fromkeys(self.errors.values()))
        shown = "; ".join(shortened(each) for each in several[:3])
        more = f"; and {len(several) - 3} other errors" if len(several) > 3 else ""
        return (
            f"job {self.job!r}: {len(self.errors)} of {self.segments} segments failed: {shown}{more}; mend "
            f"the cause and call job.resume(), which goes on where they are"
        )


class FunctionFailed(DynattrsError):
    """The function of `Job.apply` raised an error, or returned something that cannot be stored."""


class WorkersDied(DynattrsError):
    """The worker processes of a job died before any of them did any work."""


class JobForgotten(DynattrsError):
    """The records of a job were removed while it ran, with `job.forget()` or by hand. It has stopped."""
