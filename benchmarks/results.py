"""Figures as text, as JSON, and as tables of docs/performance.md.

The page's tables stand between two comments, `<!-- begin NAME -->` and `<!-- end NAME -->`; they are
made from docs/performance.json, and a test holds them equal to it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.contest import Figure

DOCS = Path(__file__).parent.parent / "docs"
FILE = DOCS / "performance.json"
PAGE = DOCS / "performance.md"


# --- Text -----------------------------------------------------------------------------------------


def text(figures: Sequence[Figure]) -> str:
    """Figures of one case as lines for a terminal."""
    lines = [f"\n{figures[0].case}"]
    units = list(dict.fromkeys(each.unit for each in figures))
    if len(units) > 1 and len({each.rival for each in figures}) > 1:
        return "\n".join([*lines, *_lines(figures, units)])
    for each in figures:
        line = f"  {each.label:44} {number(each.median):>8} {each.unit}"
        line += f"  ({number(each.low)} to {number(each.high)})"
        if each.ratio is not None:
            line += (
                f"  x{number(each.ratio)} ({number(each.ratio_low)} to {number(each.ratio_high)})"
            )
        lines.append(line)
    return "\n".join(lines)


def _lines(figures: Sequence[Figure], units: Sequence[str]) -> Iterable[str]:
    """A line for each rival, where several things were measured of it."""
    yield " " * 46 + "".join(f"{unit:>20}" for unit in units)
    values = {(each.rival, each.unit): number(each.median) for each in figures}
    for rival, label in {each.rival: each.label for each in figures}.items():
        yield f"  {label:44}" + "".join(f"{values.get((rival, unit), ''):>20}" for unit in units)


def number(value: float | None) -> str:
    """Two or three digits that count."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


# --- The file -------------------------------------------------------------------------------------


def about(
    command: str,
    rounds: int,
    python: str,
    versions: dict[str, str] | None = None,
    left_out: dict[str, str] | None = None,
) -> dict[str, Any]:
    """What numbers have to carry: where, when and how they were made."""
    said = subprocess.run([python, "--version"], capture_output=True, text=True, check=True)
    return {
        "commit": _commit(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": f"{_processor()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        "python": said.stdout.split()[1],
        "versions": versions or {},
        "command": command,
        "rounds": rounds,
        "left_out": {what: why.splitlines()[0][:200] for what, why in (left_out or {}).items()},
    }


def _commit() -> str:
    """The last commit that changed the library, with a word if it was changed since."""
    known = _git("log", "-1", "--format=%h", "--", "src")
    changed = _git("status", "--porcelain", "--", "src")
    return (known or "unknown") + (" and changes" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor()


def save(file: str, suite: str, about: dict[str, Any], figures: Sequence[Figure]) -> None:
    """Put a suite's figures into *file*, in place of those that it has of that suite."""
    path = Path(file)
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    cases: dict[tuple[str, str], dict[str, list[float]]] = {}
    for each in figures:
        values = (each.median, each.low, each.high, each.ratio, each.ratio_low, each.ratio_high)
        found = [float(f"{value:.4g}") for value in values if value is not None]
        cases.setdefault((each.case, each.unit), {})[each.rival] = found
    known[suite] = {
        "about": about,
        "labels": {each.rival: each.label for each in figures},
        "cases": [[case, unit, found] for (case, unit), found in cases.items()],
    }
    path.write_text(_written(known))


def _written(known: dict[str, Any]) -> str:
    """JSON with a line for each case, so that a change can be read."""
    parts = []
    for suite, content in known.items():
        lines = [json.dumps(case, ensure_ascii=False) for case in content["cases"]]
        parts.append(
            f'{json.dumps(suite)}: {{\n  "about": {json.dumps(content["about"])},\n'
            f'  "labels": {json.dumps(content["labels"])},\n'
            '  "cases": [\n   ' + ",\n   ".join(lines) + "\n  ]\n }"
        )
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def load(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """The figures in *file*: for each suite, `about` and `figures`."""
    known: dict[str, Any] = json.loads(file.read_text())
    return {
        suite: {
            "about": content["about"],
            "figures": [
                Figure(case, rival, content["labels"][rival], unit, *values)
                for case, unit, found in content["cases"]
                for rival, values in found.items()
            ],
        }
        for suite, content in known.items()
    }


# --- The page -------------------------------------------------------------------------------------


def page_parts() -> dict[str, str]:
    """The tables of the page by name."""
    known = load()
    makers = {
        "table": _matrix, "models": _matrix, "load": _load, "shapes": _shapes, "growth": _growth,
        "cold": _ratios, "waiting": _waiting, "million": _plain, "profile": _profile,
    }  # fmt: skip
    parts = {
        suite: f"{makers[suite](content['figures'])}\n\n{_origin(content['about'])}"
        for suite, content in known.items()
    }
    return {"machine": _machine(known["table"]["about"]), **parts}


def rewrite_page() -> None:
    page = PAGE.read_text()
    for name, part in page_parts().items():
        page = replaced(page, name, part)
    PAGE.write_text(page)


def replaced(page: str, name: str, part: str) -> str:
    """*page* with *part* between the comments of that name."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no place for {name}")
    return (
        page[: page.index(begin)] + f"{begin}\n{part}\n{end}" + page[page.index(end) + len(end) :]
    )


def _machine(about: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return f"{about['machine']}; Python {about['python']}; {versions}."


def _origin(about: dict[str, Any]) -> str:
    said = (
        f"Measured on {about['date']}, commit {about['commit']}, rounds: {about['rounds']}, with "
        f"`{about['command']}`."
    )
    for what, why in about.get("left_out", {}).items():
        said += f" Left out: `{what}`: {why}."
    return said


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


_HEADS = {
    "read": "read, an item", "write": "write in batches, an item", "get": "GetItem",
    "put": "PutItem", "update": "UpdateItem",
}  # fmt: skip
_MODEL_HEADS = {
    "read mixed-11": "read, an item", "made mixed-11": "make and write, an item",
    "made keyed-11": "with key templates and an index", "read vector-1024": "1,024 floats: read, an item",
    "write vector-1024": "1,024 floats: write, an item",
}  # fmt: skip


def _head(case: str) -> str:
    return _MODEL_HEADS.get(case.partition(".")[0]) or _HEADS[case.split(maxsplit=1)[0]]


def _matrix(figures: Sequence[Figure]) -> str:
    """A row for each rival, a column for each operation: µs, and times as much as dynattrs."""
    cases = list(dict.fromkeys(figure.case for figure in figures))
    by_place = {(each.rival, each.case): each for each in figures}
    labels = {each.rival: each.label for each in figures}
    rows = [
        [labels[rival], *(_cell(by_place.get((rival, case))) for case in cases)]
        for rival in sorted(labels, key=_rank)
    ]
    return _rows(["CPU, µs", *map(_head, cases)], rows)


def _rank(rival: str) -> int:
    from benchmarks.contest import RIVALS

    return RIVALS.index(rival)


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.ratio is None:
        return f"**{number(figure.median)}**"
    low, high = number(figure.ratio_low), number(figure.ratio_high)
    return f"{number(figure.median)} · ×{number(figure.ratio)} ({low} to {high})"


def _shapes(figures: Sequence[Figure]) -> str:
    """A table for each operation: a row for each rival, a column for each shape."""
    parts = []
    for operation, head in _HEADS.items():
        mine = [each for each in figures if each.case.startswith(f"{operation} ")]
        shapes = list(dict.fromkeys(each.case.split()[1].partition(".")[0] for each in mine))
        by_place = {(each.rival, each.case.split()[1].partition(".")[0]): each for each in mine}
        labels = {each.rival: each.label for each in mine}
        rows = [
            [labels[rival], *(_short(by_place.get((rival, shape))) for shape in shapes)]
            for rival in sorted(labels, key=_rank)
        ]
        if rows:
            parts.append(_rows([f"{head}, µs", *shapes], rows))
    return "\n\n".join(parts)


def _short(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.ratio is None:
        return f"**{number(figure.median)}**"
    return f"{number(figure.median)} · ×{number(figure.ratio)}"


_CALLS = {"get": "GetItem", "put": "PutItem"}


def _load(figures: Sequence[Figure]) -> str:
    """A table for each operation: a row for each rival, a column for each number of calls at a time."""
    from benchmarks import load

    parts = []
    by_place = {(each.case, each.rival, each.unit): each.median for each in figures}
    labels = {each.rival: each.label for each in figures}

    def cell(case: str, rival: str) -> str:
        units = (*load.UNITS.values(), load.RATE, load.CPU)
        found = [by_place.get((case, rival, unit)) for unit in units]
        if None in found:
            return ""
        *times, rate, cpu = map(number, found)
        return f"{' / '.join(times)} · {rate} · {cpu}"

    for operation, head in _CALLS.items():
        cases = [each.case for each in figures if each.case.startswith(operation)]
        cases = list(dict.fromkeys(cases))
        rows = [
            [labels[rival], *(cell(case, rival) for case in cases)]
            for rival in sorted(labels, key=_rank)
        ]
        heads = [case.partition(", ")[2] for case in cases]
        what = f"{head}: ms (50 / 99 / 99.9 %) · calls a second · CPU, µs a call"
        parts.append(_rows([what, *heads], rows))
    return "\n\n".join(parts)


def _profile(figures: Sequence[Figure]) -> str:
    """A row for each part of a call, a column for each call and library."""
    from benchmarks.profiles import OF_A_REQUEST

    cases = list(dict.fromkeys(each.case for each in figures))
    columns = list(dict.fromkeys((each.case, each.unit) for each in figures))
    columns.sort(key=lambda column: cases.index(column[0]))
    found = {(each.case, each.unit, each.rival): each.median for each in figures}
    names = _HEADS | {"made": "make and write, an item"}
    heads = [f"{names[case]}: {unit.rpartition(', ')[2]}" for case, unit in columns]
    totals = {
        column: sum(value for key, value in found.items() if key[:2] == column)
        for column in columns
    }

    def cell(column: tuple[str, str], part: str) -> str:
        value = found.get((*column, part), 0.0)
        share = value / totals[column]
        return f"{number(value)} · {share:.0%}" if share >= 0.005 else ""

    rows = [
        [
            part + (" \\*" if part in OF_A_REQUEST else ""),
            *(cell(column, part) for column in columns),
        ]
        for part in dict.fromkeys(each.rival for each in figures)
    ]
    rows.append(["together", *(f"**{number(totals[column])}**" for column in columns)])
    return _rows(["µs of CPU, and share", *heads], rows)


def _growth(figures: Sequence[Figure]) -> str:
    """A row for each page or text size, a column for each rival."""
    labels = {each.rival: each.label for each in figures}
    rivals = sorted(labels, key=_rank)
    by_place = {(each.rival, each.case): each for each in figures}
    rows = []
    for case in dict.fromkeys(each.case for each in figures):
        shape, page, *_ = case.split()[1].split(".")
        kind, _, size = shape.partition("-")
        what = f"{size} attributes" if kind != "text" else f"a text of {int(size):,} characters"
        cells = [_short(by_place.get((rival, case))) for rival in rivals]
        rows.append([f"pages of {int(page):,}, {what}", *cells])
    return _rows(["CPU, µs an item", *(labels[rival] for rival in rivals)], rows)


def _ratios(figures: Sequence[Figure]) -> str:
    parts = []
    for case in dict.fromkeys(each.case for each in figures):
        mine = [each for each in figures if each.case == case]
        rows = [
            [each.label, number(each.median), f"{number(each.low)} to {number(each.high)}",
             "1" if each.ratio is None else f"{number(each.ratio)} "
             f"({number(each.ratio_low)} to {number(each.ratio_high)})"]
            for each in mine
        ]  # fmt: skip
        head = [f"{case}, {mine[0].unit}", "median", "quartiles", "times dynattrs"]
        parts.append(_rows(head, rows))
    return "\n\n".join(parts)


def _waiting(figures: Sequence[Figure]) -> str:
    parts = []
    for case in dict.fromkeys(each.case for each in figures):
        mine = [each for each in figures if each.case == case]
        rows = [
            [each.label, number(each.median), f"{number(each.low)} to {number(each.high)}",
             f"{number(each.ratio)}"]
            for each in mine
        ]  # fmt: skip
        parts.append(_rows([f"{case}, ms", "median", "quartiles", "times latency alone"], rows))
    return "\n\n".join(parts)


def _plain(figures: Sequence[Figure]) -> str:
    rows = [[each.label, each.unit, number(each.median)] for each in figures]
    return _rows([figures[0].case, "", ""], rows)
