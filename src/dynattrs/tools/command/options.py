"""The options that the parts of the command share, and the session that they make."""

from __future__ import annotations

import functools
import ipaddress
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import attrs
import click

from dynattrs.session.session import Session
from dynattrs.tools.command.outcomes import State

if TYPE_CHECKING:
    from dynattrs.jobs import SessionSpec

F = TypeVar("F", bound=Callable[..., Any])

#: Any will do for an engine on this machine, and one has to be there.
_NO_SECRET = "local"  # noqa: S105


TABLE_PREFIX = click.option(
    "--table-prefix",
    default="",
    envvar="DYNATTRS_TABLE_PREFIX",
    show_envvar=True,
    help="Put before the declared name of every table.",
)


@attrs.frozen
class Connection:
    """Where the tables are."""

    region: str | None
    profile: str | None
    endpoint_url: str | None
    table_prefix: str

    @contextmanager
    def session(self) -> Generator[Session, None, None]:
        """A session, closed at the end."""
        options: dict[str, Any] = {"region_name": self.region, "profile_name": self.profile}
        if self._takes_any_credentials():
            import boto3

            options = {
                "boto3_session": boto3.Session(
                    aws_access_key_id=_NO_SECRET,
                    aws_secret_access_key=_NO_SECRET,
                    region_name=self.region or os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
                )
            }
        with Session(
            endpoint_url=self.endpoint_url, table_prefix=self.table_prefix, **options
        ) as session:
            yield session

    def spec(self) -> SessionSpec:
        """How the processes of a job make their sessions."""
        from dynattrs.jobs import SessionSpec

        if self._takes_any_credentials():
            # A spec has none; the processes that are begun inherit these.
            os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = _NO_SECRET
            os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        return SessionSpec(
            region_name=self.region,
            profile_name=self.profile,
            endpoint_url=self.endpoint_url,
            table_prefix=self.table_prefix,
        )

    def _takes_any_credentials(self) -> bool:
        """Whether it is an engine of this machine, and there are no credentials."""
        stated = (os.environ.get(f"AWS_ENDPOINT_URL{each}") for each in ("_DYNAMODB", ""))
        endpoint = self.endpoint_url or next(filter(None, stated), None)
        return endpoint is not None and is_local(endpoint) and self._has_no_credentials()

    def _has_no_credentials(self) -> bool:
        """Whether nothing is configured: DynamoDB Local keeps the tables of each key apart."""
        if self.profile is not None or "AWS_ACCESS_KEY_ID" in os.environ:
            return False
        import boto3

        return not boto3.Session().available_profiles


def is_local(endpoint: str) -> bool:
    """Whether an endpoint is on this machine."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def endpoint_of(session: Session) -> str:
    return str(session.client.meta.endpoint_url)


def connected(command: F) -> F:
    """Give a part of the command the options of where the tables are, as its argument `connection`."""
    return _with(
        command,
        click.option("--region", help="The AWS region; without it what AWS is configured to."),
        click.option("--profile", help="A profile of the AWS configuration."),
        click.option("--endpoint-url", help="Another endpoint, such as http://127.0.0.1:8000."),
        TABLE_PREFIX,
        debugged,
        _connecting,
    )


def connected_elsewhere(prefix: str) -> Callable[[F], F]:
    """Give a part of the command that is `connected` options of where other tables are, `--to-region` and so
    on, as its argument `elsewhere`. What is not said of them is as of the others.
    """
    names = ("region", "profile", "endpoint_url", "table_prefix")

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def connect(*args: Any, connection: Connection, **options: Any) -> Any:
            said = {name: options.pop(f"{prefix}_{name}") for name in names}
            if all(each is None for each in said.values()):
                raise click.UsageError(
                    f"say where the other tables are: --{prefix}-table-prefix, --{prefix}-region, "
                    f"--{prefix}-profile or --{prefix}-endpoint-url"
                )
            elsewhere = attrs.evolve(
                connection, **{name: each for name, each in said.items() if each is not None}
            )
            return command(*args, connection=connection, elsewhere=elsewhere, **options)

        return _with(
            cast("F", connect),
            click.option(f"--{prefix}-table-prefix", help="The prefix of the other tables."),
            click.option(f"--{prefix}-region", help="Their AWS region."),
            click.option(
                f"--{prefix}-profile", help="The profile of the AWS configuration for them."
            ),
            click.option(f"--{prefix}-endpoint-url", help="Their endpoint."),
        )

    return decorate


def _connecting(command: F) -> F:
    """Make one argument of the four options."""

    @functools.wraps(command)
    def connect(
        *args: Any,
        region: str | None,
        profile: str | None,
        endpoint_url: str | None,
        table_prefix: str,
        **options: Any,
    ) -> Any:
        connection = Connection(region, profile, endpoint_url, table_prefix)
        return command(*args, connection=connection, **options)

    return cast("F", connect)


def debugged(command: F) -> F:
    """Let a part of the command take --debug after its name as well."""

    def remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        state = ctx.find_object(State)
        if value and state is not None:
            state.debug = True

    return click.option(
        "--debug", is_flag=True, is_eager=True, expose_value=False, callback=remember,
        help="Show the traceback of an error.",
    )(command)  # fmt: skip


def changing(command: F) -> F:
    """Give a part of the command that writes the options `yes` and `dry_run`."""
    return _with(
        command,
        click.option(
            "--yes", is_flag=True, help="Do it at an endpoint that is not on this machine."
        ),
        click.option(
            "--dry-run", is_flag=True, help="Show what would be done, and change nothing."
        ),
    )


def _with(command: F, *decorators: Callable[[F], F]) -> F:
    for decorate in reversed(decorators):
        command = decorate(command)
    return command
