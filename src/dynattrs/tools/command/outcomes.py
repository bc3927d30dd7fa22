"""How the command ends, and what it knows of itself meanwhile."""

from __future__ import annotations

import sys
from typing import Final

import attrs
import click

OK: Final = 0
#: There is a difference, nothing was found, or nothing was done.
NONE: Final = 1
#: What was asked for makes no sense. (click's own number for that.)
USAGE: Final = 2
#: The service, or the data, refused.
FAILED: Final = 3
INTERRUPTED: Final = 130
#: As a shell has it for a program that is ended by SIGPIPE.
BROKEN_PIPE: Final = 141


@attrs.define
class State:
    """What holds for one run of the command.

    Attributes:
        debug: Whether tracebacks are shown.
        options: The options of the part that was called, by what a program calls them.
    """

    debug: bool = False
    options: dict[str, str] = attrs.field(factory=dict)


def note(text: str) -> None:
    """Say something beside the output, which may go into a file or another program."""
    sys.stdout.flush()  # where both go to one place, they are in order
    click.echo(text, err=True)


def is_terminal() -> bool:
    """Whether a person can be asked, and sees what is asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(what: str, *, where: str, local: bool, yes: bool, dry_run: bool) -> bool:
    """Whether to do what was shown: at once on an engine of this machine, elsewhere if the user says so.

    Args:
        what: What would be done.
        where: The endpoint.
        local: Whether that is on this machine.
        yes: Whether the user has said so already.
        dry_run: Whether the user has said not to.
    """
    if dry_run:
        note("Dry run: nothing was changed.")
        return False
    if local or yes:
        return True
    if is_terminal():
        return click.confirm(f"{what} at {where}?", default=False, err=True)
    note(f"Nothing was changed at {where}. To {what[:1].lower()}{what[1:]}, add --yes.")
    return False
