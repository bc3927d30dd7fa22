"""The command's beginning and end: its parts, its errors in one line, its exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from dynattrs import __version__
from dynattrs.errors import (
    ConditionError,
    ConfigurationError,
    DynattrsError,
    ModelError,
    QueryError,
)
from dynattrs.tools.command import (
    costs,
    generating,
    job_states,
    job_verbs,
    local_server,
    migrating,
    orphans,
    policies,
    reading,
    tables,
)
from dynattrs.tools.command.outcomes import BROKEN_PIPE, FAILED, INTERRUPTED, USAGE, State, note

#: What is wrong with what was asked for, and not with the table.
_MISTAKES = (ConditionError, ConfigurationError, ModelError, QueryError)


class _PipeClosed(Exception):
    """The program that reads the output has ended, as `head` does."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            outcome = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # click would make the exit code 1 of it, which says something else here.
            raise _PipeClosed from None
        return outcome


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="dynattrs", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def app(ctx: click.Context, debug: bool) -> None:
    """DynamoDB tables and items by the models of your program.

    What they are is said as module:name, which is loaded from the current directory: a model, a Table
    with all its models, or a module alone for all that is declared in it.

    Exit codes: 0 all is well; 1 a difference, nothing found, or nothing done; 2 what was asked for makes
    no sense; 3 the service or the data refused; 130 interrupted.
    """
    state = ctx.ensure_object(State)
    state.debug = state.debug or debug
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (
    tables.create, tables.diff, tables.update, tables.describe, reading.query, reading.get,
    generating.generate, generating.guide, migrating.migrate, orphans.orphans, policies.iam, costs.cost,
    local_server.local, job_verbs.export, job_verbs.import_, job_verbs.copy, job_verbs.verify,
    job_verbs.apply, job_states.jobs,
):  # fmt: skip
    app.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    state = State()
    try:
        code = app.main(
            None if arguments is None else list(arguments),
            prog_name="dynattrs",
            standalone_mode=False,
            obj=state,
        )
        sys.stdout.flush()
    except (_PipeClosed, BrokenPipeError):
        # Python would complain of what it cannot write at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except click.ClickException as error:
        return _said(state, error.format_message(), error.exit_code, getattr(error, "ctx", None))
    except (click.Abort, KeyboardInterrupt):
        return _said(state, "interrupted", INTERRUPTED)
    except DynattrsError as error:
        return _said(state, error, USAGE if _is_mistake(error) else FAILED)
    except OSError as error:
        return _said(state, error, FAILED)
    except Exception as error:
        return _said(state, f"{type(error).__name__}: {error}", FAILED)
    return code if isinstance(code, int) else 0


def _is_mistake(error: DynattrsError) -> bool:
    # Who has raised an error of jobs has imported them.
    known = sys.modules.get("dynattrs.jobs.errors")
    of_jobs = () if known is None else (known.NoSuchJob, known.OtherJob)
    return isinstance(error, (*_MISTAKES, *of_jobs))


def _said(state: State, problem: object, code: int, ctx: click.Context | None = None) -> int:
    if state.debug:
        traceback.print_exc()
    line = " ".join(str(problem).split())
    command = "dynattrs" if ctx is None else ctx.command_path
    note(f"{command}: {line}")
    return code
