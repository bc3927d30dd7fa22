"""What is taken for the form that is written, by its shape, is that form: for every type of keys."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dynattrs import Epoch, Mapper
from dynattrs.mapper.key_spelling import NAMES, shape_of, written_in_key

MAPPER = Mapper()


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


def numbers() -> st.SearchStrategy[str]:
    return st.one_of(
        st.integers(-(10**38), 10**38).map(str),
        st.floats(-1e120, 1e120).map(repr),
        st.decimals(-(10**20), 10**20, places=6).map(str),
        st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,17})?(E[+-]?[0-9]{1,2})?", fullmatch=True),
    )


def instants() -> st.SearchStrategy[str]:
    """Date and time as other programs write it, and near misses."""
    forms = (
        "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H%M%SZ",
        "%Y-%m-%dT%H:%M:%S.%f+0000", "%Y-%m-%dT%H:%M:%S.%f+00:00", "%G-W%V-%uT%H:%M:%S.%fZ",
        "%Y-%m-%dT%H:%M:%S,%fZ", "%Y-%m-%dT%H:%M:%S.%fz", "%Y-%m-%dT24:00:00.000000Z",
        "%Y-%m-%dT%H:%M:%S.%f0Z", "%Y-%jT%H:%M:%S.%f00Z", "%Y-%m-%dx%H:%M:%S.%fZ",
    )  # fmt: skip
    made = st.builds(lambda at, form: at.strftime(form), st.datetimes(), st.sampled_from(forms))
    return made | st.from_regex(r"[0-9W:\-]{10}[T ][0-9:]{8}[.,][0-9]{6}Z", fullmatch=True)


def uuids() -> st.SearchStrategy[str]:
    forms: tuple[Callable[[uuid.UUID], str], ...] = (
        str, lambda u: str(u).upper(), lambda u: u.hex, lambda u: u.urn, lambda u: f"{{{u}}}",
        lambda u: f"{u.hex[:9]}-{u.hex[9:14]}-{u.hex[14:18]}-{u.hex[18:]}",
        lambda u: "1_2" + str(u)[3:],
    )  # fmt: skip
    return st.builds(lambda u, form: form(u), st.uuids(), st.sampled_from(forms))


DATES = st.dates().map(str) | st.dates().map(lambda each: each.strftime("%Y%m%d"))
TIMES = st.builds(
    lambda at, form: at.strftime(form),
    st.times(),
    st.sampled_from(
        ["%H:%M:%S.%f", "%H:%M", "%H%M%S", "%H:%M:%S,%f", "%H%M%S.%f00", "%H:%M%S.%f0"]
    ),
)
PATHS = st.text("a./\\", min_size=1, max_size=8)
ADDRESSES = (
    st.ip_addresses(v=6).map(str)
    | st.ip_addresses(v=6).map(lambda each: each.exploded)
    | st.ip_addresses(v=6).map(lambda each: str(each).upper())
)

CASES: list[tuple[Any, str, st.SearchStrategy[str]]] = [
    (str, "S", st.text()),
    (dt.datetime, "S", instants()),
    (dt.date, "S", DATES),
    (dt.time, "S", TIMES),
    (uuid.UUID, "S", uuids()),
    (pathlib.PurePosixPath, "S", PATHS),
    (pathlib.PureWindowsPath, "S", PATHS),
    (ipaddress.IPv6Address, "S", ADDRESSES),
    (ipaddress.IPv4Address, "S", st.ip_addresses(v=4).map(str)),
    (ipaddress.IPv6Network, "S", ADDRESSES.map(lambda each: f"{each}/128")),
    (Size, "S", st.sampled_from(["s", "l"])),
    (Literal["a", "b"], "S", st.sampled_from(["a", "b"])),
    (int, "N", numbers()),
    (float, "N", numbers()),
    (Decimal, "N", numbers()),
    (dt.timedelta, "N", numbers()),
    (Annotated[dt.datetime, Epoch], "N", numbers()),
    (Level, "N", st.sampled_from(["1", "1.0", "2E+0", "2"])),
]


@pytest.mark.parametrize(("type_", "tag", "texts"), CASES, ids=lambda each: str(each)[:40])
@given(data=st.data())
def test_a_usual_shape_is_what_is_written(
    type_: Any, tag: str, texts: st.SearchStrategy[str], data: st.DataObject
) -> None:
    codec = MAPPER.codec(type_)
    text = data.draw(texts)
    try:
        value = codec.load({tag: text})
        written = written_in_key(codec.dump(value))
    except Exception:
        assume(False)
    assert is_odd(codec, {tag: text}, value) or written == {tag: text}


def is_odd(codec: Any, stored: Any, value: Any) -> Any:
    condition = shape_of(codec)
    ((_, payload),) = stored.items()
    for name, meant in (("$p", "payload"), ("$v", "value"), ("$a", "stored")):
        condition = condition.replace(name, meant)
    names = {"unlike": lambda stored, value: written_in_key(codec.dump(value)) != stored}
    return condition and eval(
        condition, {**NAMES, **names, "payload": payload, "value": value, "stored": stored}
    )


@given(st.datetimes(), st.uuids(), st.floats(1e-120, 1e120))
def test_what_is_written_has_the_usual_shape(at: Any, each: uuid.UUID, number: float) -> None:
    """It costs nothing then."""
    for value in (at.replace(tzinfo=dt.timezone.utc), at.date(), at.time(), each, number):
        codec = MAPPER.codec(type(value))
        assert not is_odd(codec, written_in_key(codec.dump(value)), value)
