"""How a process makes a session: a description that goes from one process to another as a value."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from typing import Any, Final

import attrs

from dynattrs.errors import ConfigurationError, ModelError
from dynattrs.jobs.importable import importable_name, imported
from dynattrs.jobs.work import JSON
from dynattrs.session.session import Session

_SPANS: Final = ("call_timeout", "deadline")


def _named(make: str | Callable[[], Session] | None) -> str | None:
    if make is None or isinstance(make, str):
        return make
    return importable_name(make, "SessionSpec(make=...)")


@attrs.frozen(kw_only=True)
class SessionSpec:
    """The options of a session as values, from which each process makes its own.

        SessionSpec(region_name="eu-west-1", table_prefix="dev-", config={"retries": {"mode": "standard"}})

    It holds no credentials: each process finds them as boto3 does. For what values cannot express, such
    as hooks, give a function that makes the session, `SessionSpec(make=my_session)`, or its name,
    `"app.db:session"`.

    Attributes:
        region_name: As `Session`'s.
        profile_name: As `Session`'s.
        endpoint_url: As `Session`'s.
        config: Options of a `botocore.config.Config`, by name.
        table_prefix: As `Session`'s.
        tables: As `Session`'s.
        cursor_secret: As `Session`'s. It is never written down.
        call_timeout: As `Session`'s.
        deadline: As `Session`'s.
        concurrency: As `Session`'s.
        fast: As `Session`'s.
        make: An importable function without arguments that gives a new `Session`, or its name,
            `"module:function"`; nothing else may be given beside it. It is called when a verb of a job
            begins, and in each worker process. The session is not closed by the job.

    Raises:
        ModelError: *make* has no name to import it by, or something else is given beside it.
    """

    region_name: str | None = None
    profile_name: str | None = None
    endpoint_url: str | None = None
    config: Mapping[str, Any] | None = None
    table_prefix: str = ""
    tables: Mapping[str, str] | None = None
    cursor_secret: str | bytes | None = attrs.field(default=None, repr=False)
    call_timeout: timedelta | None = None
    deadline: timedelta = timedelta(seconds=60)
    concurrency: int = 4
    fast: bool = True
    make: str | None = attrs.field(default=None, converter=_named)

    def __attrs_post_init__(self) -> None:
        beside = [name for name in self.said() if name != "make"]
        if self.make is not None and beside:
            raise ModelError(
                "SessionSpec", f"make is given, so {', '.join(beside)} would be ignored"
            )

    def said(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return {
            each.name: value
            for each in attrs.fields(SessionSpec)
            if (value := getattr(self, each.name)) != each.default
        }

    def session(self) -> Session:
        """A new session, which its caller closes.

        Raises:
            ModelError: An option is none that can be; or what *make* names gives no session.
            ConfigurationError: There is no region, or no such profile.
        """
        if self.make is not None:
            made = imported(self.make, "SessionSpec(make=...)")()
            if not isinstance(made, Session):
                raise ModelError(
                    "SessionSpec", f"make={self.make!r} gave {made!r}, and a Session is expected"
                )
            return made
        options = self.said()
        if self.config is not None:
            from botocore.config import Config

            try:
                options["config"] = Config(**self.config)
            except TypeError as error:
                raise ModelError("SessionSpec", f"config={self.config!r}: {error}") from error
        return Session(**options)

    def describe(self) -> dict[str, JSON]:
        """The options as JSON, without `cursor_secret`, from which `described` makes a spec."""
        said = self.said()
        said.pop("cursor_secret", None)  # a reader of the job's record may not know it
        for name in _SPANS:
            if name in said:
                said[name] = said[name].total_seconds()
        return said

    @classmethod
    def described(cls, description: Mapping[str, Any]) -> SessionSpec:
        """The spec of what `describe` gave."""
        options = dict(description)
        for name in _SPANS:
            if name in options:
                options[name] = timedelta(seconds=options[name])
        return cls(**options)


_lock = threading.Lock()
_sessions: list[tuple[SessionSpec, Session]] = []


def session_of(spec: SessionSpec) -> Session:
    """The session of this process for a spec: one, made on first use, for all of its threads. It stays
    open until the process ends; one that the program has closed is made again.
    """
    with _lock:
        session = _open_session(spec)
        if session is None:
            _forget(spec)
            session = spec.session()
            _sessions.append((spec, session))
        return session


def _open_session(spec: SessionSpec) -> Session | None:
    for known, session in _sessions:
        if known == spec and session._closed is None:
            return session
    return None


def anew(spec: SessionSpec) -> None:
    """A verb of a job begins: ask the program's function anew. It may give another session by now, whose
    predecessor is the program's to close.
    """
    if spec.make is not None:
        with _lock:
            _forget(spec)


def _forget(spec: SessionSpec) -> None:
    _sessions[:] = [each for each in _sessions if each[0] != spec]


@contextlib.contextmanager
def told_for_jobs() -> Generator[None]:
    """Where boto3 lacks something, say what to do about it where a job makes the sessions."""
    try:
        yield
    except ConfigurationError as error:
        error.remedy = error.remedy.replace(
            "pass Session(region_name=...)", "give the job session=SessionSpec(region_name=...)"
        ).replace(
            "use Session.local() for an embedded engine",
            "name a function that makes the session: SessionSpec(make=...)",
        )
        raise
