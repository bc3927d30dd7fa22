"""What the fields of `beside_pynamodb.Everything` may have, for Hypothesis."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

NOON = datetime(2026, 11, 23, 12, 30, tzinfo=timezone.utc)
TIMES = [
    NOON,
    NOON + timedelta(microseconds=1500),
    datetime(999, 1, 2, 3, 4, 5, 6, timezone.utc),
    datetime(1969, 12, 31, 23, 59, 59, 250_000, timezone.utc),
]

TEXTS = st.sampled_from(["", "a", "é\U0001f600\x7f", "x" * 40])
INSTANTS = st.sampled_from(TIMES)
NUMBERS = st.one_of(st.integers(-(10**15), 10**15), st.sampled_from([0.1, -2.5, 1e22, 1e-7]))
WORDS = st.sets(st.sampled_from(["a", "b", "é"]), max_size=3)
BYTES = st.sampled_from([b"a", b"\xca\xfe\xf0\x0d", b"ab", bytes(range(256))])
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["x", "é"]), inner, max_size=2)
    ),
    max_leaves=4,
)
SPOTS = st.fixed_dictionaries(
    {"name": TEXTS, "weight": NUMBERS}, optional={"at": INSTANTS, "words": WORDS.filter(bool)}
).map(lambda fields: {"Spot": fields})
CIRCLES = st.fixed_dictionaries({"size": NUMBERS}, optional={"at": INSTANTS}).map(
    lambda fields: {"Circle": fields}
)
SQUARES = st.fixed_dictionaries({"size": NUMBERS}, optional={"colors": WORDS.filter(bool)}).map(
    lambda fields: {"Square": fields}
)
#: What each field may have, None apart. Times that are cut off are whole.
VALUES: dict[str, Any] = {
    "text": TEXTS.filter(bool),  # a key of an index
    "when": INSTANTS,
    "number": NUMBERS,
    "count": st.integers(0, 9),
    "flag": st.booleans(),
    "data": BYTES,
    "datas": st.sets(BYTES, max_size=3),
    "words": WORDS,
    "numbers": st.sets(NUMBERS, max_size=3),
    "doc": st.one_of(PLAIN, st.sampled_from([float("inf"), [float("-inf")], 10**60])).filter(
        lambda doc: doc is not None
    ),
    "raw": st.dictionaries(st.sampled_from(["x", "é"]), PLAIN, max_size=2),
    "raws": st.lists(PLAIN, max_size=3),
    "spot": SPOTS,
    "spots": st.lists(st.one_of(st.none(), SPOTS), max_size=2),
    "shape": st.one_of(CIRCLES, SQUARES),
    "shapes": st.lists(st.one_of(CIRCLES, SQUARES), max_size=2),
    "sets": st.lists(WORDS.filter(bool), max_size=2),
    "expires": st.sampled_from([NOON, NOON + timedelta(seconds=1)]),
    "iso": st.sampled_from([*TIMES, NOON.astimezone(timezone(timedelta(hours=2)))]),
    "seconds": st.sampled_from([NOON, datetime(1969, 12, 31, tzinfo=timezone.utc)]),
    "millis": st.sampled_from([NOON, NOON + timedelta(milliseconds=5)]),
    "micros": st.sampled_from([NOON, NOON + timedelta(seconds=0.5)]),
    "span": st.sampled_from([timedelta(days=-2), timedelta(seconds=5)]),
    "span_ms": st.sampled_from([timedelta(days=-2), timedelta(milliseconds=500)]),
    "span_us": st.sampled_from([timedelta(days=2), timedelta(seconds=-0.5)]),
    "day": st.sampled_from([date(2026, 11, 23), date(1, 1, 1)]),
    "color": st.sampled_from(["red", "blue"]),
    "level": st.sampled_from([1, 2]),
    "pair": st.sampled_from([(1, "a"), (-5, "")]),
    "uid": st.sampled_from([UUID(int=11), UUID("abcdef00-0000-0000-0000-00000000000b")]),
    "plain": st.sampled_from([UUID(int=11), UUID("abcdef00-0000-0000-0000-00000000000b")]),
}
