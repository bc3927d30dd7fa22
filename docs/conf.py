"""Sphinx configuration. Build with warnings as errors, as .ci/run does:

sphinx-build -W --keep-going docs docs/_build/html
"""

import re
import sys
import typing
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.typing import stringify_annotation

import dynattrs
from dynattrs import aio, events, fastapi, streams, testing, workbench

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
pygments_dark_style = "github-dark"
html_title = f"dynattrs {release}"
html_static_path = ["_static"]
html_css_files = ["width.css"]
html_search_scorer = str(HERE / "search.js")

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# `sphinx-build -b linkcheck` asks other sites: .ci/run links, and the workflow of that name.
linkcheck_ignore = [
    r"https?://(localhost|127\.0\.0\.1)[:/]",  # engines on your machine
    r"https://pypi\.org/project/dynattrs/",  # before the first release
]
linkcheck_retries = 3
linkcheck_timeout = 20
linkcheck_rate_limit_timeout = 60
# GitHub makes these anchors in the browser.
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Instance": "object"}
python_maximum_signature_line_length = 88

napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Docstrings describe attributes in an "Attributes:" section; autodoc documents the same fields.
napoleon_use_ivar = True
# Docstrings of this package say `name` for code, as Markdown does.
default_role = "code"


# --- Signatures of the reference ------------------------------------------------------------------

#: The classes that programs make objects of. The library makes those of all others.
_CONSTRUCTED = {
    "Accepts", "AsyncSession", "Book", "ByKind", "Facet", "GlobalIndex", "LocalIndex", "Mapper",
    "OnDemand", "Partial", "Provisioned", "Session", "Table",
}  # fmt: skip

_PUBLIC = {
    name
    for module in (dynattrs, aio, events, fastapi, streams, testing, workbench)
    for name in dir(module)
}


def _without_constructor(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, *_: Any
) -> tuple[str, None] | None:
    is_class = signature is not None and what in ("class", "exception")
    return ("", None) if is_class and obj.__name__ not in _CONSTRUCTED else None


def _with_public_names(app: Any, doctree: nodes.document) -> None:
    """Write type aliases out, which are names of the library's own, and leave its modules away."""
    for signature in doctree.findall(addnodes.desc_signature):
        for part in signature.findall(
            lambda node: isinstance(node, (addnodes.desc_parameterlist, addnodes.desc_returns))
        ):
            for text in [*part.findall(nodes.Text)]:
                text.parent.replace(text, nodes.Text(_written_out(str(text))))


def _written_out(annotation: str) -> str:
    return re.sub(r"[A-Za-z_][\w.]*", lambda found: _meaning(found[0]), annotation)


def _meaning(word: str) -> str:
    name = word.rpartition(".")[2].removesuffix("_co")
    if name in _PUBLIC:
        return name
    if name == "NOTHING":  # of attrs: the default is a factory
        return "..."
    alias = _aliases().get(name)
    if alias is not None:
        return _written_out(alias)
    return name if word.startswith(("collections.abc.", "typing.")) else word.removesuffix("_co")


@cache
def _aliases() -> dict[str, str]:
    """The type aliases of the library, each with what it stands for."""
    found = {
        name: value if isinstance(value, str) else stringify_annotation(value)
        for module in [*sys.modules.values()]
        if module.__name__.startswith("dynattrs.")
        for name, value in vars(module).items()
        if name[0].isupper() and not name.isupper()
        if isinstance(value, str) or typing.get_origin(value) is not None
    }
    # Of any model: what checkers see in one has no name that a program could import.
    found.update({"Instance": "object", "Sized_": "object"})
    # What a session of threads gives; asyncio has the same with "Async" before it.
    found.update(
        Exporting="Transfer[ExportReport]",
        Importing="Transfer[ImportReport]",
        Putting="BulkPut",
        Report="T",
    )
    return {name: value for name, value in found.items() if name not in dynattrs.__all__}


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
    app.connect("autodoc-process-signature", _without_constructor)
    app.connect("doctree-read", _with_public_names)
    # These overloads are for checkers; readers have the one that says all.
    for module in ("models.specifiers", "expressions.functions", "expressions.updates"):
        analyzer = ModuleAnalyzer.for_module(f"dynattrs.{module}")
        analyzer.analyze()
        analyzer.overloads.clear()
