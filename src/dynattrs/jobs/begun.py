"""Whether a job that was begun is the one that is asked for: the same name says the same work."""

from __future__ import annotations

import json
from typing import Any

from dynattrs.jobs.errors import OtherJob
from dynattrs.jobs.session_specs import SessionSpec
from dynattrs.jobs.work import JobRecord, Work
from dynattrs.quoting import shortened


def check_models(record: JobRecord, names: tuple[str, ...]) -> None:
    """Refuse other models than the job's; none at all say nothing.

    Raises:
        OtherJob: They are others.
    """
    if names and tuple(record.models) != names:
        begun, given = ", ".join(record.models), ", ".join(names)
        raise OtherJob(record.name, f"was begun for {begun}, and not for {given}")


def check_tables(record: JobRecord, spec: SessionSpec) -> None:
    """Refuse a session that gives tables other real names than the job's have.

    Raises:
        OtherJob: It does.
    """
    begun = SessionSpec.described(record.session)
    for name in ("table_prefix", "tables"):
        one, other = (getattr(each, name) for each in (begun, spec))
        if (one or None) != (other or None):
            raise OtherJob(record.name, f"was begun with {name}={one!r}, and not with {other!r}")


def check_same(record: JobRecord, names: tuple[str, ...], spec: SessionSpec, work: Work) -> None:
    """Refuse other models, tables, another verb, or other arguments than a job was begun with.

    Raises:
        OtherJob: One of them is another.
    """
    check_models(record, names)
    check_tables(record, spec)
    if record.verb != work.verb:
        raise OtherJob(record.name, f"does {record.verb}, and was asked to {work.verb}")
    begun, given = dict(record.description), json.loads(json.dumps(work.describe()))
    for name in (*begun, *given):
        if begun.get(name) != given.get(name):
            old, new = (_shown(each.get(name)) for each in (begun, given))
            raise OtherJob(
                record.name,
                f"was begun as {work.verb} with {name}={old}, and not with {name}={new}",
            )


def _shown(argument: Any) -> str:
    if isinstance(argument, dict) and "text" in argument:  # a condition
        return str(argument["text"])
    return shortened(json.dumps(argument, ensure_ascii=False))
