"""What checkers cannot find in operands, and where they are wrong: docs/conditions.md lists it.

Lines without an ignore are mistakes that no checker finds; dynattrs refuses them at run time. Each ignore
is a false alarm, which says when it is one no more.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from typing import Any

from things import Company, Extra, Label, MajorLabel, Mood, OtherStruct, Point, Thing

from dynattrs import (
    Session,
    between,
    field,
    if_not_exists,
    in_,
    list_append,
    model,
    partition_key,
    put,
    set_,
)

anything: Any = 3

# --- Mistakes that neither finds --------------------------------------------------------------------

# None, of a field that takes none: a field that does looks the same to a signature.
set_(Thing.i, None)
set_(Thing.label, None)
if_not_exists(Thing.i, None)
in_(Thing.i, [1, None])

# Another literal: a field of type Literal["A", "B"] is a str to a signature.
set_(Thing.side, "C")
between(Thing.speed, 33, 46)
in_(Thing.side, ["C"])

# What is right to Python: a bool is an int, a datetime is a date, a text is a sequence of texts, an
# object of a subclass is one of the class.
set_(Thing.i, Thing.t)
set_(Thing.day, Thing.at)
list_append(Thing.texts, "abc")
in_(Thing.s, "abc")
set_(Thing.label, MajorLabel("Philips"))

# Another class among several values.
in_(Thing.label, [Point(1, 2)])

# --- Mistakes that mypy finds, and pyright does not ---------------------------------------------------

# A field may be of several classes, `Circle | Square`. To pyright every class could be meant.
set_(Thing.label, Point(1, 2))  # type: ignore[arg-type]
set_(Thing.struct, OtherStruct(1))  # type: ignore[arg-type]
set_(Thing.profile, Company(name="a"))  # type: ignore[arg-type]
if_not_exists(Thing.label, Point(1, 2))  # type: ignore[arg-type]

# --- False alarms -----------------------------------------------------------------------------------


# Unions with anything but classes. `put` takes their values.
set_(Thing.either, "text")  # type: ignore[misc]
set_(Thing.answer, True)  # type: ignore[misc]
set_(Thing.owner, Label("a"))  # type: ignore[misc]
in_(Thing.answer, [True, "a"])  # type: ignore[misc]


@model("counters")
class Counter:
    id: str = partition_key()
    count: int = field(converter=int, default=0)


# What only the converter makes right.
set_(Counter.count, "3")  # type: ignore[arg-type]
put(Counter.count).to("3")  # type: ignore[arg-type]


class Ulid:
    """A type of another library, with hooks on the mapper."""


def keys(session: Session, ulid: Ulid) -> None:
    session.get(Counter, ulid)  # type: ignore[call-overload]
    session.get(Counter, {"id": ulid})


# mypy reads a dict for a TypedDict only where nothing is between the two.
set_(Thing.extra, if_not_exists(Thing.extra, {"colour": "red"}))  # type: ignore[arg-type]
set_(Thing.extras, list_append(Thing.extras, [{"colour": "red"}]))  # type: ignore[arg-type]
set_(Thing.extra, if_not_exists(Thing.extra, Extra(colour="red")))
# mypy does not take a member of an enum for FieldOf the enum where only some members may be there.
set_(Thing.calm, Mood.CALM)  # type: ignore[arg-type]

# Of a field of type Any, and of a value of type Any for a tuple, what these return is unknown to pyright.
# (reportUnknownArgumentType is off here, as in the whole project.)
set_(Thing.anything, if_not_exists(Thing.anything, 3))
set_(Thing.many, list_append(Thing.many, anything))
