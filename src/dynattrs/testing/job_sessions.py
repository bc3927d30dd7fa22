"""The session of a test as a value from which the processes of a job make theirs."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Mapping
from typing import Any, Final

import attrs

from dynattrs.errors import ConfigurationError
from dynattrs.jobs.session_specs import SessionSpec
from dynattrs.session.session import Session
from dynattrs.testing.worlds import Access, Clients

#: Worker processes inherit it: how the engine of the test is reached, and where its tables are.
_VARIABLE: Final = "DYNATTRS_TEST_SESSION"
#: The options of a session that go to other processes.
_VALUES: Final = ("call_timeout", "concurrency", "deadline", "fast", "table_prefix", "tables")

#: The session of the test that is under way, by its process: a forked one has none.
_current: dict[int, Session] = {}


@contextlib.contextmanager
def spec_of(
    session: Session, access: Access, settings: Mapping[str, Any]
) -> Generator[SessionSpec, None, None]:
    """A spec for one test: in its process the very session of the test, in others one like it.

    Args:
        session: The test's.
        access: How its engine is reached.
        settings: The options it was made with. Other processes leave out those that cannot be pickled.
    """
    options = SessionSpec(**{name: settings[name] for name in _VALUES if name in settings})
    said = {"access": attrs.asdict(access), "options": options.describe()}
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = json.dumps(said)
    _current[os.getpid()] = session
    try:
        yield SessionSpec(make=f"{__name__}:session_of_test")
    finally:
        _current.clear()
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def session_of_test() -> Session:
    """The session of the test that is under way, or in another process one on the same tables.

    Raises:
        ConfigurationError: No test is under way.
    """
    here = _current.get(os.getpid())
    if here is not None:
        return here
    said = os.environ.get(_VARIABLE)
    if said is None:
        raise ConfigurationError(
            "no test with the fixture dynattrs_session_spec is under way",
            "begin and end a job with its spec inside of one test",
        )
    found = json.loads(said)
    options = SessionSpec.described(found["options"])
    return Session(boto3_session=Clients(Access(**found["access"])), **options.said())
