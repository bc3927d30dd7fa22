"""Sphinx configuration. Build with warnings as errors, as .ci/run does:

sphinx-build -W --keep-going docs docs/_build/html
"""

import functools
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from types import FunctionType

from sphinx.application import Sphinx

from dynattrs.operations.flows import verb
from dynattrs.operations.query import QueryVerbs
from dynattrs.operations.tables import TableVerbs
from dynattrs.operations.verbs import Verbs

# The reference shows a model of docs/examples.
sys.path.insert(0, str(Path(__file__).parent / "examples"))

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


def setup(app: Sphinx) -> None:
    """Show verbs, which are flows behind a descriptor, as the methods that they are to a caller."""
    for cls in (Verbs, QueryVerbs, TableVerbs):
        for name, member in list(vars(cls).items()):
            if isinstance(member, verb):
                setattr(cls, name, _method(member.__wrapped__))


def _method(flow: FunctionType) -> FunctionType:
    method = FunctionType(flow.__code__, flow.__globals__, flow.__name__, flow.__defaults__)
    functools.update_wrapper(method, flow)
    del method.__wrapped__
    method.__kwdefaults__ = flow.__kwdefaults__
    returned = flow.__annotations__["return"].removeprefix("Flow[").removesuffix("]")
    method.__annotations__ = {**flow.__annotations__, "return": returned}
    return method
