"""Measure dynattrs beside others. From the repository's root:

    uv run python -m benchmarks                         # everything; 20 minutes or more
    uv run python -m benchmarks table cold              # some of the suites
    uv run python -m benchmarks --save docs/performance.json
    uv run python -m benchmarks --against ../other      # this checkout beside another one (`against.py`)
    uv run python -m benchmarks goals                   # what is to be reached: met or missed (`goals.py`)
    uv run python -m benchmarks --smoke                 # does it still work? No number means anything.
    uv run python -m benchmarks report --docs           # the tables of docs/performance.md, from the file
    uv run python -m benchmarks plot performance.svg    # the plot of that page, which its build makes too
    uv run python -m benchmarks profile get             # where the CPU of one call goes

Suites: table, models, shapes, growth, cold, waiting, load, million. Rivals are installed by uv in a cache
folder (`environments.py`).
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path

from benchmarks import against, goals, results, suites
from benchmarks.contest import Contest
from benchmarks.environments import Environments, python312


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "what", nargs="*", metavar="suite", help="suites, or goals, report, plot, profile"
    )
    parser.add_argument("--rounds", type=int, help="how often everything is measured (15)")
    parser.add_argument("--rivals", help="only these, with commas: " + ",".join(suites.RIVALS))
    parser.add_argument("--python", help="the interpreter of all rivals; for goals Python 3.12")
    parser.add_argument("--fresh", action="store_true", help="install everything anew")
    parser.add_argument(
        "--smoke", action="store_true", help="a tiny budget, and any failure is one"
    )
    parser.add_argument("--save", metavar="FILE", help="keep the figures in this JSON file")
    parser.add_argument(
        "--against", metavar="PATH", type=Path, help="another checkout, to compare this one with"
    )
    parser.add_argument("--docs", action="store_true", help="with report: rewrite the page")
    options = parser.parse_args(arguments)
    if options.what[:1] == ["report"]:
        return _report(rewrite=options.docs)
    if options.what[:1] == ["plot"] and len(options.what) == 2:
        from benchmarks import plots

        plots.draw(Path(options.what[1]))
        return 0
    goals_only = options.what == ["goals"]
    python = options.python or (python312() if goals_only else sys.executable)
    environments = Environments(python, fresh=options.fresh)
    if options.what[:1] == ["profile"]:
        from benchmarks import profiles

        figures, versions = profiles.show(
            environments, options.what[1:] or ["get"], options.against
        )
        if options.save:
            about = results.about(
                shlex.join(["python", "-m", "benchmarks", *arguments]), 1, python, versions
            )
            results.save(options.save, "profile", about, figures)
        return 0
    budget = suites.SMOKE if options.smoke else suites.Budget()
    if options.rounds:
        budget = dataclasses.replace(budget, rounds=options.rounds)
    if goals_only and options.against is None:
        with Contest(environments, _say, strict=True) as contest:
            goals.show(contest, environments, budget, _say)
        return 0
    unknown = set(options.what) - set(against.SUITES if options.against else suites.NAMES)
    if unknown:
        parser.error(f"no suite is called {', '.join(sorted(unknown))}")
    rivals = options.rivals.split(",") if options.rivals else list(suites.RIVALS)
    if options.smoke and not options.rivals:
        rivals = [rival for rival in rivals if rival not in suites.HEAVY]
    if set(rivals) - set(suites.RIVALS):
        parser.error(f"rivals are {', '.join(suites.RIVALS)}")
    if options.against is not None:
        _compare(options.against.resolve(), environments, budget, options.what, options.rivals)
        return 0
    command = shlex.join(["python", "-m", "benchmarks", *arguments])
    with Contest(environments, _say, strict=options.smoke) as contest:
        run = suites.Suites(contest, environments, budget, rivals)
        for name in options.what or suites.NAMES:
            figures = []
            for part in run.run(name):
                figures += part
                if part:
                    _say(results.text(part))
            if options.save:
                versions = contest.versions(rivals)
                about = results.about(
                    command, budget.rounds_of(name), python, versions, contest.left_out
                )
                results.save(options.save, name, about, figures)
    return 0


def _compare(
    other: Path,
    environments: Environments,
    budget: suites.Budget,
    what: list[str],
    rivals: str | None,
) -> None:
    taking_part = [
        rival for rival in against.RIVALS if rivals is None or rival in rivals.split(",")
    ]
    with Contest(environments, _say, strict=True) as contest:
        comparison = against.Comparison(contest, environments, budget, other)
        against.show(comparison, what or against.SUITES[:2], taking_part, _say)


def _report(*, rewrite: bool) -> int:
    if rewrite:
        results.rewrite_page()
    else:
        _say("\n".join(results.page_parts().values()))
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
