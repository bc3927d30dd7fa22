"""The plot of docs/performance.md: how many times as much CPU as dynattrs each library takes.

It is drawn from docs/performance.json by the documentation's build, or by

    uv run python -m benchmarks plot performance.svg
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from benchmarks import results
from benchmarks.contest import BASELINE, RIVALS, Figure

#: What is drawn, in its order: the suite, the case up to its shape, and what it is called.
_PANELS = (
    ("table", "read flat-11", "Read an item: Query"),
    ("table", "write flat-11", "Write an item: batches"),
    ("models", "made mixed-11", "Make and write: batches"),
    ("table", "get flat-11", "GetItem"),
    ("table", "put flat-11", "PutItem"),
    ("table", "update flat-11", "UpdateItem"),
)
#: Told apart without red and green.
_OURS, _SLOWER, _FASTER = "#222222", "#3b6fb6", "#d98b2b"
#: A bar that is longer is cut off, as two white lines in it and its number say.
_LONGEST = 20


def draw(file: Path) -> None:
    """Draw the ratios, medians and quartiles, into an SVG or PNG file; what is ours is a bar as all are."""
    known = results.load()
    panels = [
        (title, _of_case(known[suite]["figures"], case))
        for suite, case, title in _PANELS
        if suite in known
    ]
    labels = {each.rival: each.label for _, found in panels for each in found.values()}
    rivals = [rival for rival in RIVALS if rival in labels]
    # The same file from the same figures, whoever draws it and when.
    with mpl.rc_context({"svg.hashsalt": "dynattrs", "font.size": 9}):
        canvas = Canvas(figsize=(10, 1.2 + 0.25 * len(rivals) * 2), layout="constrained")
        grid: Any = canvas.subplots(2, 3, sharex=True, sharey=True)
        places = list(grid.flat)
        for place, (title, found) in zip(places, panels, strict=False):
            _bars(place, [found.get(rival) for rival in rivals])
            place.set_title(title, loc="left", fontweight="bold", fontsize=9)
        for place in grid[:, 0]:
            place.set_yticks(range(len(rivals)), [labels[rival] for rival in rivals])
            place.get_yticklabels()[rivals.index(BASELINE)].set_fontweight("bold")
        places[0].invert_yaxis()
        places[0].set_xlim(0, _LONGEST * 1.25)
        for place in places[len(panels) :]:
            place.axis("off")
        canvas.suptitle(
            "← shorter is better: CPU time as a multiple of dynattrs', which is the first bar",
            x=0.01,
            ha="left",
            fontsize=10,
        )
        canvas.supxlabel(
            f"orange: less than dynattrs · gray lines: quartiles · bars beyond ×{_LONGEST} are cut",
            fontsize=9,
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def _of_case(figures: Sequence[Figure], case: str) -> Mapping[str, Figure]:
    return {each.rival: each for each in figures if each.case.partition(".")[0] == case}


def _bars(place: Any, figures: Sequence[Figure | None]) -> None:
    place.axvline(1, color="black", linewidth=0.8, linestyle=":")
    place.spines[["top", "right"]].set_visible(False)
    for row, figure in enumerate(figures):
        if figure is None:
            place.text(0.2, row, "–", va="center", fontsize=8, color="gray")
            continue
        ratio = 1.0 if figure.ratio is None else figure.ratio
        color = _OURS if figure.rival == BASELINE else _SLOWER if ratio >= 1 else _FASTER
        place.barh(row, min(ratio, _LONGEST), height=0.7, color=color)
        if ratio > _LONGEST:
            for cut in (0.90, 0.94):
                ends = [cut * _LONGEST, (cut + 0.02) * _LONGEST]
                place.plot(ends, [row + 0.45, row - 0.45], color="white", linewidth=2)
        edge = ratio
        if figure.ratio_low is not None and figure.ratio_high is not None:
            ends = [min(figure.ratio_low, _LONGEST), min(figure.ratio_high, _LONGEST)]
            place.plot(ends, [row, row], color="gray", linewidth=1.2)
            edge = max(ratio, figure.ratio_high)
        text = (
            f" {results.number(figure.median)} µs"
            if figure.ratio is None
            else f" ×{results.number(ratio)}"
        )
        place.text(min(edge, _LONGEST), row, text, va="center", fontsize=8)
