"""How S3 is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from dynattrs.errors import ModelError
from dynattrs.jobs.work import JSON


@attrs.frozen(kw_only=True)
class S3Options:
    """How S3 is reached, where that is otherwise than the AWS configuration says.

    An endpoint of S3 alone can also be said there: `AWS_ENDPOINT_URL_S3`, or `endpoint_url` in the section
    of a service. The endpoint of a session is DynamoDB's, and not taken.

    Attributes:
        region_name: The bucket's region; None for the session's.
        profile_name: A profile of the AWS configuration; None for the session's.
        endpoint_url: Another endpoint than AWS's.
    """

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None

    def describe(self) -> dict[str, JSON]:
        """The options as JSON."""
        return {name: value for name, value in attrs.asdict(self).items() if value is not None}


def options_of(given: object, session: Any) -> S3Options:
    """The options that a caller gives, and for what they do not say the session's.

    Args:
        given: `S3Options`, a dict of these options, or None.
        session: A `SessionSpec`, or None.

    Raises:
        ModelError: They are none.
    """
    if given is None:
        found = S3Options()
    elif isinstance(given, S3Options):
        found = given
    elif isinstance(given, Mapping):
        try:
            found = S3Options(**given)
        except TypeError as error:
            known = ", ".join(each.name for each in attrs.fields(S3Options))
            raise ModelError("Job", f"s3={given!r}: expected options among {known}") from error
    else:
        raise ModelError("Job", f"s3={given!r}: expected S3Options or a dict of them")
    return attrs.evolve(
        found,
        region_name=found.region_name or getattr(session, "region_name", None),
        profile_name=found.profile_name or getattr(session, "profile_name", None),
    )
