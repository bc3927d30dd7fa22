"""What is put off until somebody needs it."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys

import pytest

import dynattrs
from dynattrs import deferral, errors


def fresh(code: str) -> str:
    """What a fresh interpreter prints that runs *code*."""
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True)
    return done.stdout.decode().strip()


def test_an_error_is_unpickled_in_a_process_that_has_never_raised_one():
    error = errors.ItemExists("insert", "Song", ("a", "b"), "not_exists(Song.artist)", item=3)

    code = f"import pickle; error = pickle.loads({pickle.dumps(error)!r}); print(repr(error))"

    assert fresh(code) == repr(error)
    assert vars(copy.copy(error)) == vars(error)


# --- Modules and names --------------------------------------------------------------------------


def test_a_deferred_module_is_imported_by_the_first_attribute_and_is_the_module_then():
    code = """
import sys
from dynattrs.deferral import deferred
module = deferred("dynattrs.keys.planner")
assert "dynattrs.keys.planner" not in sys.modules
assert module.plan is sys.modules["dynattrs.keys.planner"].plan
"""
    fresh(code)


def test_a_deferred_module_has_no_attribute_that_the_module_has_not():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = deferral.deferred("dynattrs.limits").no_such_name


def test_a_name_that_the_package_has_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'dynattrs' has no attribute 'Sesion'"):
        _ = dynattrs.Sesion  # type: ignore[attr-defined]


def test_a_star_import_gives_every_public_name():
    code = "from dynattrs import *; import dynattrs; print(set(dynattrs.__all__) - set(dir()))"

    assert fresh(code) == "set()"
    # Also where no extra is installed.
    assert fresh(f"import sys; sys.modules['pydantic'] = None; {code}") == "set()"


def test_every_name_that_is_imported_late_is_the_one_of_its_module():
    assert dynattrs.Query is sys.modules["dynattrs.session.results"].Query
    assert dynattrs.set_ is sys.modules["dynattrs.expressions.updates"].set_


def test_the_signature_of_a_verb_says_what_callers_get():
    signature = inspect.signature(dynattrs.Session.exists)

    assert list(signature.parameters) == ["self", "model", "key", "consistent"]
    assert signature.return_annotation == "bool"
    assert str(inspect.signature(dynattrs.Session.save_all)).endswith("-> 'None'")
