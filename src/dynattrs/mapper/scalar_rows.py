"""How payloads of rows become values: what C can do is done in C, and only where it does the same.

msgspec reads JSON's numbers faster than `int` and `float` read text. It takes less than those, and
nothing otherwise, except `-0`, which is an int to it: that a float is zero is asked again.
"""

from __future__ import annotations

import binascii
import datetime as dt
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from dynattrs.late_classes import frozen
from dynattrs.mapper import scalars, time_to_live
from dynattrs.mapper.codec import Codec

#: To checkers the arguments of annotations are types that they know.
Lines = Callable[[str, str], "list[str]"]


@frozen(eq=False, repr=False)
class Tagged:
    """One type tag of an attribute value.

    Attributes:
        tag: `S`, `N`, …
        payload: The annotation of the payload.
        value: The expression of the value, with `$p` for the payload, and `$load` for the codec's function.
        refused: A condition on the value, `$t`, that only the general way may judge.
        lines: The lines that read a payload into a variable, where an expression is not all, or a slower
            way.
    """

    tag: str
    payload: Any
    value: str
    refused: str | None = None
    lines: Lines | None = None


NULL: Final = Tagged("NULL", Any, "None")

_PLAIN: Final = scalars.PLAIN
_EPOCH_SECONDS: Final = "(epoch + timedelta(0, int_of($p)) if $p.isdecimal() else $load({'N': $p}))"

# Measured (benchmarks/readings.py): 15 -> 6 us an item of eleven attributes of many types.
# tests/property/test_read_code.py holds all of it to the codecs.
SCALARS: Final[dict[Codec, Tagged]] = {
    _PLAIN[str]: Tagged("S", str, "$p"),
    _PLAIN[bool]: Tagged("BOOL", bool, "$p"),
    _PLAIN[int]: Tagged("N", str, "int_of($p)"),
    _PLAIN[float]: Tagged("N", str, "(float_of($p) or float($p))"),
    _PLAIN[Decimal]: Tagged("N", str, "Decimal($p)", "not $t.is_finite()"),
    _PLAIN[bytes]: Tagged("B", str, "binary($p)"),
    # By their length texts with escapes are left out, which would be read.
    _PLAIN[uuid.UUID]: Tagged(
        "S", str, "(uuid_of(f'\"{$p}\"') if len($p) == 36 else $load({'S': $p}))"
    ),
    _PLAIN[dt.date]: Tagged(
        "S", str,
        "(date_of($p) if len($p) == 10 and $p[4] == '-' and $p[7] == '-' else $load({'S': $p}))",
    ),
    _PLAIN[dt.time]: Tagged(
        "S", str,
        "(time_of($p) if len($p) == 15 and $p[8] == '.' and $p[9:].isdecimal() "
        "else $load({'S': $p}))",
    ),
    _PLAIN[dt.timedelta]: Tagged(
        "N", str, "(timedelta(0, int_of($p)) if $p.isdecimal() else $load({'N': $p}))"
    ),
    scalars.EPOCH: Tagged("N", str, _EPOCH_SECONDS),
    time_to_live.CODECS[int]: Tagged("N", str, "int_of($p)"),
    time_to_live.CODECS[dt.datetime]: Tagged("N", str, _EPOCH_SECONDS),
}  # fmt: skip
if sys.version_info >= (3, 11):  # before it Python reads no `Z`
    SCALARS[_PLAIN[dt.datetime]] = Tagged(
        "S", str,
        "(instant_of($p) if len($p) == 27 and $p[26] == 'Z' and $p[19] == '.' and $p[4] == '-' "
        "else $load({'S': $p}))",
    )  # fmt: skip


def _decoder(type_: Any) -> Callable[[str], Any]:
    return msgspec.json.Decoder(type_).decode


#: What the expressions call.
NAMES: Final[dict[str, Any]] = {
    "int_of": _decoder(int),
    "float_of": _decoder(float),
    "uuid_of": _decoder(uuid.UUID),
    "date_of": dt.date.fromisoformat,
    "time_of": dt.time.fromisoformat,
    "instant_of": dt.datetime.fromisoformat,
    "timedelta": dt.timedelta,
    "epoch": dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc),
    "Decimal": Decimal,
    "binary": scalars.binary,
}
if sys.version_info >= (3, 11):
    NAMES["binary"] = partial(binascii.a2b_base64, strict_mode=True)
