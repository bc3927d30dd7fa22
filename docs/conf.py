"""Sphinx configuration. Build with warnings as errors, as .ci/run does:

sphinx-build -W --keep-going docs docs/_build/html
"""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# The reference shows a model of docs/examples; the plot is drawn by benchmarks.
sys.path[:0] = [str(HERE / "examples"), str(HERE.parent)]

project = "dynattrs"
author = "the dynattrs contributors"
copyright = author
release = version = installed_version("dynattrs")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "examples"]

html_theme = "furo"
html_title = f"dynattrs {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88

napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Docstrings describe attributes in an "Attributes:" section; autodoc documents the same fields.
napoleon_use_ivar = True
# Docstrings of this package say `name` for code, as Markdown does.
default_role = "code"


# --- The plot of performance.md -------------------------------------------------------------------

_PLACE = "<!-- plot -->"
_PLOT = "_build/plots/performance.svg"


def _with_plot(app: Any, name: str, source: list[str]) -> None:
    """Put the plot where the page has a comment for it. It is drawn from performance.json, not kept."""
    if name != "performance" or _PLACE not in source[0]:
        return
    try:
        from benchmarks import plots
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        return  # the table beside it says the same
    plots.draw(HERE / _PLOT)
    alternative = (
        "CPU time of each library as a multiple of what dynattrs takes; the table says the same"
    )
    source[0] = source[0].replace(_PLACE, f"![{alternative}]({_PLOT})")


def setup(app: Any) -> None:
    app.connect("source-read", _with_plot)
