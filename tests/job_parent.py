"""A program that runs a job, for tests that kill it: `python job_parent.py '{...}'`."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any


def main(options: dict[str, Any]) -> None:
    import job_models
    from dynattrs import jobs

    place = jobs.in_folder(options["folder"]) if options.get("folder") else jobs.in_table()
    job = jobs.Job(
        options["name"],
        models=[job_models.Thing, job_models.Order],
        session=jobs.SessionSpec.described(options["session"]),
        checkpoints=place,
        segments=options.get("segments", 6),
        workers=options.get("workers", 2),
        lease=timedelta(seconds=options.get("lease", 1.0)),
    )
    verb = options["verb"]
    executor = options.get("executor", "processes")
    if verb == "apply":
        done = job.apply(job_models.counted, executor=executor)
    else:
        done = getattr(job, verb)(executor=executor)
    print(json.dumps(dict(done.counts)), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
