"""The command's beginning and end: its parts, its errors in one line, its exit codes."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final

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
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        found = super().resolve_command(ctx, args)
        if found[1] is not None:
            ctx.ensure_object(State).options = _options_of(found[1])
        return found

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
        return _said(
            state, _with_options(error, state.options), USAGE if _is_mistake(error) else FAILED
        )
    except OSError as error:
        return _said(state, error, FAILED)
    except Exception as error:
        return _said(state, f"{type(error).__name__}: {error}", FAILED)
    return code if isinstance(code, int) else 0


#: What a program writes, and the option that does the same, where these have other names.
_OTHER_NAMES: Final = {
    "using": "index", "as_": "select", "compression": "gzip", "on_error": "skip_errors", "to": "to_region",
    "in_folder": "checkpoints", "in_table": "checkpoints", "region_name": "region",
}  # fmt: skip
#: An argument, or the call of a function, in a message.
_WORDS: Final = re.compile(r"(?<![\w.])([a-z]\w*)(?==\S|\()")

#: What a program calls where a part of the command does the same.
_CALLS: Final = re.compile(r"session\.(?:tables\.(create|update|diff|describe)|(migrate))\(")


def _options_of(command: click.Command) -> dict[str, str]:
    """The options of a part of the command, and of its parts, by what a program calls them."""
    found = {
        name[2:].replace("-", "_"): name
        for parameter in command.params
        for name in parameter.opts
        if name.startswith("--")
    }
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        found = {**_options_of(each), **found}
    return found


def _with_options(error: DynattrsError, options: Mapping[str, str]) -> str:
    """What an error says, and the parts of the command and options for what it says in Python."""
    text = str(error)
    said: list[str] = _WORDS.findall(text)
    words = [_OTHER_NAMES.get(word, word) for word in said]
    parts = [f"dynattrs {table or item}" for table, item in _CALLS.findall(text)]
    found = dict.fromkeys([*parts, *(options[word] for word in words if word in options)])
    return f"{text} (here: {', '.join(found)})" if found else text


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
