"""A verb of a job in a process of its own, which a test kills: its arguments are JSON."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from dynattrs import jobs
from dynattrs.jobs.importable import imported


def main(arguments: dict[str, Any]) -> None:
    job = jobs.Job(
        arguments["name"],
        models=[imported(name, "a test") for name in arguments["models"]],
        session=jobs.SessionSpec(**arguments["session"]),
        checkpoints=jobs.in_folder(arguments["checkpoints"]),
        segments=arguments["segments"],
        lease=timedelta(seconds=arguments["lease"]),
        **arguments.get("options", {}),
    )
    verb, given, options = arguments["verb"]
    done = getattr(job, verb)(*given, **options)
    print(json.dumps(done.counts))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
