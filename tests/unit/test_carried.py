"""What instances carry is found where none of their class has carried anything before, too."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from dynattrs import Table, evolve, mapper, model, partition_key
from dynattrs.mapper.carried import NOTHING_CARRIED, carried_by, quiet

STORED: Any = {"id": {"S": "a"}, "mood": {"S": "blue"}}


@model("carried-notes")
class Note:
    id: str = partition_key()


def is_quiet(cls: type[object]) -> bool:
    return id(cls) in quiet


def declared() -> Any:
    namespace = {"__annotations__": {"id": "str"}, "__module__": __name__, "id": partition_key()}
    return model("carried-more")(type("More", (), namespace))


def read(cls: Any) -> Any:
    return mapper.default.load(STORED, cls)


def test_a_class_is_quiet_until_an_instance_carries_something():
    cls, other = declared(), declared()
    made = cls("b")
    assert is_quiet(cls)
    assert carried_by(made) is NOTHING_CARRIED

    found = read(cls)

    assert not is_quiet(cls)
    assert is_quiet(other)
    assert carried_by(found).attributes == {"mood": {"S": "blue"}}
    assert carried_by(made) is NOTHING_CARRIED
    assert mapper.default.dump(found) == STORED
    assert mapper.default.dump(made) == {"id": {"S": "b"}}


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, evolve])
def test_copies_carry_the_same(copied: Any):
    found = read(declared())

    assert mapper.default.dump(copied(found)) == STORED


def test_requests_have_what_is_carried_after_a_request_that_had_nothing():
    cls = declared()
    first: Any = mapper.default.dump_as_request(cls("b"), "carried-more")
    second: Any = mapper.default.dump_as_request(read(cls), "carried-more")

    assert bytes(first[0]) == b'{"PutRequest":{"Item":{"id":{"S":"b"}}}}'
    assert bytes(second[0]) == b'{"PutRequest":{"Item":{"id":{"S":"a"},"mood":{"S":"blue"}}}}'


def test_what_is_unpickled_in_another_process_carries_the_same():
    program = (
        "import pickle, sys, test_carried as here; from dynattrs import mapper\n"
        "assert here.is_quiet(here.Note)\n"
        "found = pickle.loads(sys.stdin.buffer.read())\n"
        "assert mapper.default.dump(found) == here.STORED, mapper.default.dump(found)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(_as_test_carried(read(Note))),
        cwd=Path(__file__).parent,
        check=False,
        capture_output=True,
    )

    assert done.returncode == 0, done.stderr.decode()


def _as_test_carried(found: Any) -> Any:
    # The other process imports this file by its name alone, whatever pytest calls it.
    Note.__module__ = "test_carried"
    sys.modules.setdefault("test_carried", sys.modules[__name__])
    return found


def test_classes_whose_instances_may_be_set_by_others_are_asked_each_time():
    @model("carried-own", slots=False)
    class Loose:
        id: str = partition_key()

    @model("carried-own")
    class Own:
        id: str = partition_key()

        def __getstate__(self) -> Any:
            return {"id": self.id}

        def __setstate__(self, state: Any) -> None:
            object.__setattr__(self, "id", state["id"])

    @attrs.define
    class Plain:
        id: str

    assert not any(map(is_quiet, (Loose, Own, Plain)))


def test_a_subclass_is_quiet_by_itself():
    app = Table("carried-app", partition_key="id")

    @model(app)
    class Base:
        id: str

    @model(app)
    class Derived(Base):
        more: int = 0

    read(Base)

    assert is_quiet(Derived)
    assert not is_quiet(Base)


def test_a_class_that_goes_is_forgotten():
    cls = declared()
    at = id(cls)
    assert at in quiet

    del cls
    gc.collect()

    found = quiet.get(at)
    assert found is None or found() is not None  # another class may be there by now
