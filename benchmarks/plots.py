"""The plot of docs/performance.md: how many times as much CPU as dynattrs the others take.

It is drawn from docs/performance.json by the documentation's build, or by

    uv run python -m benchmarks plot performance.svg
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import ticker
from matplotlib.figure import Figure as Canvas

from benchmarks import results
from benchmarks.contest import BASELINE, RIVALS, Figure

_TITLES = {
    "read": "Query, pages of 1,000", "write": "BatchWriteItem", "get": "GetItem",
    "put": "PutItem", "update": "UpdateItem",
}  # fmt: skip
#: Told apart without red and green.
_SLOWER, _FASTER = "#3b6fb6", "#d98b2b"


def draw(file: Path) -> None:
    """Draw the ratios of the suite `table`, medians and quartiles, into an SVG or PNG file."""
    figures = results.load()["table"]["figures"]
    cases = list(dict.fromkeys(figure.case for figure in figures))
    labels = {figure.rival: figure.label for figure in figures}
    rivals = [rival for rival in RIVALS if rival in labels and rival != BASELINE]
    # The same file from the same figures, whoever draws it and when.
    with mpl.rc_context({"svg.hashsalt": "dynattrs", "font.size": 9}):
        canvas = Canvas(figsize=(9.5, 0.9 + 0.27 * len(rivals) * 2), layout="constrained")
        grid: Any = canvas.subplots(2, 3, sharey=True)
        places = list(grid.flat)
        for place, case in zip(places, cases, strict=False):
            mine = {figure.rival: figure for figure in figures if figure.case == case}
            _bars(place, [mine.get(rival) for rival in rivals])
            place.set_title(_TITLES[case.split()[0]], loc="left", fontweight="bold")
            place.set_yticks(range(len(rivals)), [labels[rival] for rival in rivals])
            place.invert_yaxis()
        for place in places[len(cases) :]:
            place.axis("off")
        canvas.supxlabel(
            "CPU as a multiple of what dynattrs takes (log scale); lines span the quartiles"
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        canvas.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def _bars(place: Any, figures: Sequence[Figure | None]) -> None:
    place.set_xscale("log")
    place.axvline(1, color="black", linewidth=0.8)
    place.spines[["top", "right"]].set_visible(False)
    lowest, highest = 0.5, 2.0
    for row, figure in enumerate(figures):
        if figure is None or figure.ratio is None:
            continue
        assert figure.ratio_low is not None
        assert figure.ratio_high is not None
        color = _SLOWER if figure.ratio >= 1 else _FASTER
        place.barh(row, figure.ratio - 1, left=1, height=0.7, color=color)
        place.plot([figure.ratio_low, figure.ratio_high], [row, row], color="black", linewidth=1.2)
        edge = max(figure.ratio, figure.ratio_high, 1)
        text = f" ×{results.number(figure.ratio)}"
        place.text(edge, row, text, va="center", fontsize=8)
        lowest, highest = min(lowest, figure.ratio_low), max(highest, edge)
    place.set_xlim(lowest / 1.2, highest * 2.6)
    ticks = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
    place.xaxis.set_major_locator(ticker.FixedLocator(ticks))
    place.xaxis.set_minor_locator(ticker.NullLocator())
    place.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
