"""Wrong values of a declaration's options, refused when it is made: one that is of another type would be
found by the service, or by nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dynattrs import utf8
from dynattrs.errors import ModelError
from dynattrs.quoting import quoted


def is_several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def several(value: Any) -> tuple[Any, ...]:
    """One value or several as a tuple; what is neither text nor a list as the one value, to be refused."""
    if value is None:
        return ()
    return tuple(value) if is_several(value) else (value,)


def check_name(subject: str, option: str, value: object) -> None:
    """Refuse what is not an attribute's name.

    Raises:
        ModelError: It names the option.
    """
    if not isinstance(value, str) or not value:
        raise ModelError(
            subject,
            f"{option}={quoted(value)}: the name of an attribute is expected, text and not empty",
        )
    if not utf8.encodable(value):
        raise ModelError(
            subject, f"{option}: {utf8.EXPECTED} is expected, found {utf8.found(value)}"
        )


def check_names(subject: str, option: str, values: Iterable[object]) -> None:
    for each in values:
        check_name(subject, option, each)


def check_unlike(subject: str, names: Iterable[str]) -> None:
    """Refuse a key with the same attribute twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ModelError(subject, f"{name!r} is named twice in its key")
        seen.add(name)


def check_each(subject: str, option: str, values: Iterable[object], kinds: Any, what: str) -> None:
    """Refuse members of an option that are of another type.

    Raises:
        ModelError: It names the option and the member.
    """
    for each in values:
        if not isinstance(each, kinds):
            raise ModelError(subject, f"{option} holds {quoted(each)}; {what} is expected")


def check_mapping(subject: str, option: str, value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ModelError(subject, f"{option}={quoted(value)}: a dict by attribute name is expected")


def check_flag(subject: str, option: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ModelError(subject, f"{option}={quoted(value)}: True or False is expected")


def kinds_said(subject: str, given: object) -> tuple[str, ...]:
    """The kinds that a model declares: one, or several.

    Raises:
        ModelError: One is not text, is empty, or is there twice; or there is none.
    """
    kinds = several(given)
    for kind in kinds:
        if not isinstance(kind, str) or not kind:
            raise ModelError(
                subject,
                f"kind={quoted(given)}: a text that is not empty is expected, or a tuple of them",
            )
    if not kinds or len(set(kinds)) < len(kinds):
        problem = "there is none" if not kinds else "one is there twice"
        raise ModelError(
            subject, f"kind={quoted(given)}: {problem}; the first one is written, all are read"
        )
    return kinds
