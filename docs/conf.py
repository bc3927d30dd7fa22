"""Sphinx configuration. Build with warnings as errors, as .ci/run does:

sphinx-build -W --keep-going docs docs/_build/html
"""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

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
