"""What is put off until somebody needs it."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import threading

import attrs
import pytest

import dynattrs
from dynattrs import deferral, errors


def fresh(code: str) -> str:
    """What a fresh interpreter prints that runs *code*."""
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True)
    return done.stdout.decode().strip()


def family() -> tuple[type[Exception], type[Exception], type[Exception]]:
    @deferral.define(eq=False, slots=False)
    class Base(Exception):
        name: str
        times: int = 1

    class Same(Base):
        """It adds no fields."""

    @deferral.define(eq=False, slots=False)
    class More(Same):
        rest: tuple[str, ...] = attrs.field(factory=tuple, kw_only=True)

        def __str__(self) -> str:
            return f"{self.name} {self.times} {self.rest}"  # type: ignore[attr-defined]

    return Base, Same, More


# --- Classes ------------------------------------------------------------------------------------


def test_an_error_class_has_its_fields_from_the_first_instance_on():
    base, same, more = family()

    assert repr(more("a", rest=("b",))).endswith("More(name='a', times=1, rest=('b',))")
    assert str(more("a", 2)) == "a 2 ()"
    assert (same("a").name, base("b", times=3).times) == ("a", 3)  # type: ignore[attr-defined,call-arg]


def test_a_subclass_may_be_the_first_one_and_its_base_the_second():
    base, same, _ = family()

    assert vars(same("a")) == {"name": "a", "times": 1}
    assert vars(base("b")) == {"name": "b", "times": 1}


def test_a_wrong_argument_is_reported_as_attrs_reports_it_the_first_time_and_the_second():
    base, _, _ = family()

    for _ in range(2):
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
            base()


def test_attrs_can_be_asked_for_the_fields_of_a_class_that_nobody_has_raised():
    base, same, more = family()

    assert attrs.has(same)
    assert [field.name for field in attrs.fields(more)] == ["name", "times", "rest"]
    assert [field.name for field in attrs.fields(base)] == ["name", "times"]


def test_threads_that_raise_the_first_ones_together_all_get_whole_errors():
    for _ in range(50):
        _, _, more = family()
        start, found = threading.Barrier(4), []

        def raise_one(
            more: type[Exception] = more,
            start: threading.Barrier = start,
            found: list[str] = found,
        ) -> None:
            start.wait()
            found.append(str(more("a", rest=("b",))))  # type: ignore[call-arg]

        threads = [threading.Thread(target=raise_one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == ["a 1 ('b',)"] * 4


def test_a_class_with_slots_is_refused_because_it_would_be_another_class():
    with pytest.raises(TypeError, match="slots=False"):
        deferral.define(eq=False)


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


def test_every_name_that_is_imported_late_is_the_one_of_its_module():
    assert dynattrs.Query is sys.modules["dynattrs.session.results"].Query
    assert dynattrs.session.Query is dynattrs.Query
    assert dynattrs.set_ is sys.modules["dynattrs.expressions.updates"].set_


def test_the_signature_of_a_verb_says_what_callers_get():
    signature = inspect.signature(dynattrs.Session.get)

    assert list(signature.parameters) == ["self", "model", "key", "consistent", "unexpired"]
    assert signature.return_annotation == "M | None"
    assert str(inspect.signature(dynattrs.Session.save_all)).endswith("-> 'None'")
