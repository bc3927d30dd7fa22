"""A backfill of a whole table by worker processes, which may be killed at any instant.

    uv run docs/examples/backfill.py

You need no AWS account: an embedded engine runs inside this process, and worker processes reach it
by its address. With `SessionSpec(region_name=...)` the same program runs on the service, with any
number of items.
"""

import os
import tempfile
from pathlib import Path

from dynattrs import is_none, jobs, model, partition_key
from dynattrs.wire import local_engine


@model("people")
class Person:
    id: str = partition_key()
    name: str
    initials: str | None = None


def backfill(person: Person) -> Person | None:
    """The initials of those who have none; called again, it does nothing."""
    if person.initials is not None:
        return None
    person.initials = "".join(word[0] for word in person.name.split())
    return person


def job(spec: jobs.SessionSpec, folder: Path) -> jobs.Job:
    # Workers are processes that import this file: the models and functions at its top.
    return jobs.Job(
        "initials",
        models=[Person],
        session=spec,
        checkpoints=jobs.in_folder(folder),
        segments=8,
        workers=2,
        on_progress=print,
    )


def main() -> None:
    with local_engine.start() as engine, tempfile.TemporaryDirectory() as folder:
        # Workers find credentials as boto3 does, and the engine by its address.
        os.environ["AWS_ACCESS_KEY_ID"] = engine.access_key
        os.environ["AWS_SECRET_ACCESS_KEY"] = engine.secret_key
        spec = jobs.SessionSpec(region_name=engine.region_name, endpoint_url=engine.endpoint_url)
        with spec.session() as session:
            session.tables.create(Person)
            names = ("Ada Lovelace", "Grace Brewster Hopper", "Edsger Wybe Dijkstra")
            session.save_all(Person(str(n), names[n % 3]) for n in range(900))

            done = job(spec, Path(folder)).apply(backfill, where=is_none(Person.initials))
            print(f"\n{done.counts['changed']} changed, for {done.write_units:.0f} write units")

            again = job(spec, Path(folder)).resume()
            assert again.counts == done.counts == {"changed": 900}
            assert session.get_one(Person, "1").initials == "GBH"
            print("It is finished: to resume it does nothing again.")


if __name__ == "__main__":
    main()
