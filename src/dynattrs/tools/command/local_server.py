"""`local`: the embedded engine on a port of this machine."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Final

import click

from dynattrs.errors import ModelError
from dynattrs.session.session import Session
from dynattrs.tools.command.options import TABLE_PREFIX, debugged
from dynattrs.tools.command.outcomes import OK, note
from dynattrs.tools.command.subjects import Subjects, SubjectsType
from dynattrs.wire.local_engine import start

_REGION: Final = "us-east-1"


@click.command()
@click.argument("subjects", metavar="[MODULE:NAME]...", type=SubjectsType(), nargs=-1)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port on 127.0.0.1; 0 for a free one.",
)
@click.option(
    "--seed", "seeds", multiple=True, metavar="FILE", type=click.Path(exists=True, dir_okay=False),
    help="Items to begin with: JSON, DynamoDB JSON, or a data model of NoSQL Workbench.",
)  # fmt: skip
@TABLE_PREFIX
@debugged
def local(
    subjects: tuple[Subjects, ...], port: int, seeds: tuple[str, ...], table_prefix: str
) -> int:
    """Run DynamoDB in memory on this machine until Ctrl-C, with the tables of models.

    It takes any credentials and any region: all see the same tables. It is for trying out and for tests,
    and more lenient than the service.
    """
    import boto3

    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    former = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with start(port=port, everyone=True) as engine:
            client = boto3.client("dynamodb", **engine.client_arguments)  # type: ignore[call-overload]
            with Session(client=client, table_prefix=table_prefix) as session:
                declared = [each for named in subjects for each in named.declarations]
                if declared:
                    session.tables.create(*declared)
                _fill(session, [model for named in subjects for model in named.models], seeds)
            client.close()
            click.echo(
                f"export AWS_ENDPOINT_URL_DYNAMODB={engine.endpoint_url} "
                f"AWS_ENDPOINT_URL_DYNAMODB_STREAMS={engine.endpoint_url}\n"
                f"export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION={_REGION}"
            )
            note(f"DynamoDB is at {engine.endpoint_url}, in memory. Ctrl-C ends it.")
            ended.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    note("Ended; what was stored is gone.")
    return OK


def _fill(session: Session, models: Sequence[type[object]], seeds: Iterable[str]) -> None:
    """Store the items of files, and make the tables that data models among them have."""
    if not seeds:
        return
    from dynattrs.tools import workbench
    from dynattrs.tools.seeds import seed

    for file in seeds:
        # Of what is not a data model, `seed` says what is wrong with it, if anything.
        with suppress(ModelError):
            missing = [each for each in workbench.load(file) if not session.tables.exists(each)]
            if missing:
                session.tables.create(*missing)
        note(f"{file}: stored {seed(session, file, *models)} items")
