"""The verbs of jobs by name: what makes a job's work anew of its record, in a worker or to resume it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from dynattrs.errors import ModelError
from dynattrs.jobs.importable import imported
from dynattrs.jobs.work import JSON, Models, Work


class Described(Protocol):
    """A class of `Work`."""

    def described(self, description: Mapping[str, JSON], models: Models) -> Work:
        """The work of what its `describe` gave, on the models or tables of the job: a class method."""
        ...


#: Each verb's class. They are imported when a job has that verb.
VERBS: Final[dict[str, str]] = {
    "apply": "dynattrs.jobs.applying:Applying",
    "copy": "dynattrs.jobs.copying:Copying",
    "count": "dynattrs.jobs.counting:Counting",
    "delete": "dynattrs.jobs.deleting:Deleting",
    "export": "dynattrs.jobs.exporting:Exporting",
    "import_": "dynattrs.jobs.importing:Importing",
    "migrate": "dynattrs.jobs.migrating:Migrating",
    "verify": "dynattrs.jobs.verifying:Verifying",
}

#: The verbs that write to tables, whose pages are bounded by what they may write as well.
WRITING: Final = frozenset({"apply", "copy", "delete", "import_", "migrate"})


def work_of(verb: str, description: Mapping[str, JSON], models: Models) -> Work:
    """The work that a job's record describes.

    Raises:
        ModelError: This version of the library has no such verb; or something that the description names
            cannot be imported.
    """
    name = VERBS.get(verb)
    if name is None:
        raise ModelError("Job", f"{verb!r} is not a verb that this version of dynattrs knows")
    made: Any = imported(name, "Job")
    described: Described = made
    return described.described(description, models)
