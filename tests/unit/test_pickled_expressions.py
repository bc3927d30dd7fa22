"""Paths, conditions and update actions go to other processes by the names of their models."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path as File
from typing import Any

import attrs
import pytest

import pickled_models
from dynattrs import (
    ModelError,
    Session,
    is_none,
    map_class,
    model,
    partition_key,
    path,
    put,
    set_,
    size,
)
from dynattrs.jobs.which_items import names_of
from foreign_model import Invoice
from pickled_models import ACTIONS, CONDITIONS, PATHS, Label, Song

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def everything() -> Any:
    return PATHS, CONDITIONS, ACTIONS, (size(Song.tags), Song.plays + 1, put(Song.plays))


@attrs.define
class Plain:
    id: str
    text: str


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_was_pickled_says_the_same(protocol: int):
    pickled_models.check(pickle.dumps(everything(), protocol))


def test_another_process_has_them_too(tmp_path: File):
    """Also where it has imported nothing yet, not even what maps a class of another library's."""
    file = tmp_path / "pickled"
    file.write_bytes(pickle.dumps(everything()))
    program = (
        "import pathlib, pickle, sys; "
        "data = pathlib.Path(sys.argv[1]).read_bytes(); pickle.loads(data); "
        "sys.modules['pickled_models'].check(data)"
    )
    tests = str(File(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": tests}

    done = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_workers_of_jobs_map_what_is_mapped():
    names = names_of([Invoice, Song], "Job")
    assert names == ("foreign_model:Invoice@pickled_models", "pickled_models:Song")
    program = (
        "import sys; from dynattrs.jobs.which_items import models_of; "
        "print([each.__name__ for each in models_of(sys.argv[1:], 'Job')])"
    )
    environment = {**os.environ, "PYTHONPATH": str(File(__file__).parents[1])}

    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout == "['Invoice', 'Song']\n", done.stderr


def test_paths_of_fields_are_the_same_objects():
    for each in (Song.artist, pickled_models.Cut.seen, pickled_models.User.city):
        assert pickle.loads(pickle.dumps(each)) is each


def test_what_was_unpickled_is_sent_as_before():
    """A condition that says the same is worth nothing if the path in it has forgotten what it is of."""
    there: Any = pickle.loads(pickle.dumps(PATHS[1]))
    deeper: Any = pickle.loads(pickle.dumps(PATHS[2:3]))[0]

    assert (there == "Verve") == (PATHS[1] == "Verve")
    assert set_(deeper, "x") == set_(PATHS[2], "x")
    with pytest.raises(TypeError, match=r"Song.label.name goes with a str"):
        there == 3  # noqa: B015


def test_copies_are_what_they_are_copied_from():
    for each in PATHS:
        assert copy.copy(each) is each
        assert copy.deepcopy([each])[0] is each
    for some in (CONDITIONS, ACTIONS):
        assert copy.deepcopy(some) == some
        assert [*map(copy.copy, some)] == some


def test_conditions_of_local_models_are_copied_all_the_same():
    @model("local")
    class Local:
        id: str = partition_key()

    condition = Local.id == "x"

    assert copy.deepcopy(condition) == condition


def test_conditions_are_equal_where_they_say_the_same():
    assert (Song.plays == 1) == (Song.plays == 1)
    assert (Song.plays == 1) != (Song.plays == 2)
    assert (Song.plays == 1) != (pickled_models.Film.seen == 1)
    assert len({Song.plays == 1, Song.plays == 1, ~(Song.plays == 1)}) == 2
    assert (Song.plays == 1) != 3
    assert set_(Song.plays, 1) == set_(Song.plays, 1) != set_(Song.plays, 2)
    assert set_(Song.shouted, "a") == set_(Song.shouted, "a") != set_(Song.shouted, "b")
    assert set_(Song.plays, 1) != 3
    assert is_none(Song.label) == (Song.label == None)  # noqa: E711
    assert all(one != other for n, one in enumerate(CONDITIONS) for other in CONDITIONS[n + 1 :])
    assert all(one != other for n, one in enumerate(ACTIONS[:11]) for other in ACTIONS[n + 1 : 11])


# --- What cannot go elsewhere -----------------------------------------------------------------------


def refused(expression: Any) -> str:
    with pytest.raises(ModelError) as caught:
        pickle.dumps(expression)
    return str(caught.value)


def test_a_model_inside_of_a_function_is_named():
    @model("local")
    class Local:
        id: str = partition_key()
        label: Label | None = None

    local: Any = Local
    for each in (Local.id, Local.id == "x", local.label.name, set_(Local.id, "x"), size(Local.id)):
        message = refused(each)
        assert message.startswith("pickling Local.")
        assert "other processes cannot import it; define it with class at the top of a" in message


def test_a_model_that_was_declared_again_is_named(monkeypatch: pytest.MonkeyPatch):
    former = Song.plays == 1

    @model("music")
    class Again:
        artist: str = partition_key()

    Again.__qualname__ = "Song"
    Again.__module__ = "pickled_models"
    monkeypatch.setattr(pickled_models, "Song", Again)

    assert "pickled_models.Song is another object than the one that was given" in refused(former)


def test_a_class_that_is_not_mapped_here_is_named(monkeypatch: pytest.MonkeyPatch):
    """Nothing maps it in a process that has not called the function that does."""
    map_class(Plain, "plain", partition_key="id", unknown="drop")
    data = pickle.dumps(path(Plain).text)
    monkeypatch.delattr(Plain, "__dynattrs__")

    with pytest.raises(ModelError, match="Plain: its field 'text' was pickled where map_class"):
        pickle.loads(data)


def test_a_query_says_that_its_session_stays():
    query = Session(region_name="eu-west-1").scan(Song)

    with pytest.raises(TypeError, match="holds connections and threads and cannot be pickled"):
        pickle.dumps(query)
