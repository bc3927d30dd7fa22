"""Jobs, as checkers read them."""

from __future__ import annotations

from typing import Any

from songs import Song
from typing_extensions import assert_type

from dynattrs import jobs

job = jobs.Job("types", models=[Song])
there = jobs.SessionSpec(table_prefix="new-")


def shorter(item: dict[str, Any]) -> dict[str, Any] | None:
    return None if "year" in item else {**item, "title": {"S": "x"}}


def wrong(item: Song) -> Song:
    return item


assert_type(job.copy(there), jobs.JobProgress)
assert_type(job.copy(there, overwrite="newer", transform=shorter), jobs.JobProgress)
job.copy("new-")  # type: ignore[arg-type]
job.copy(there, overwrite="never")  # type: ignore[arg-type]
job.copy(there, transform=wrong)  # type: ignore[arg-type]

verified = job.verify(with_=there, executor="threads")
assert_type(verified, jobs.Verified)
assert_type(verified.equal, bool)
for difference in verified.differences:
    assert_type(difference, jobs.Difference)
    assert_type(difference.places, tuple[str, ...])
