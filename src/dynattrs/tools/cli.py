"""`python -m dynattrs`: what is done from a shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dynattrs.errors import DynattrsError
from dynattrs.tools import generation, workbench


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well."""
    parser = argparse.ArgumentParser(
        prog="python -m dynattrs", description="An object mapper for Amazon DynamoDB."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    generate = commands.add_parser(
        "generate",
        help="print Python models for a data model of NoSQL Workbench",
        description="Print Python models for the tables of a data model of NoSQL Workbench. What "
        "keys are made of is inferred from the sample data; read the result before you use it.",
    )
    generate.add_argument("model", help="the data model, a JSON file that NoSQL Workbench writes")
    generate.add_argument("-o", "--output", metavar="FILE", help="write into a file, and not print")
    given = parser.parse_args(arguments)
    try:
        return _generate(given.model, given.output)
    except (DynattrsError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)  # noqa: T201
        return 1


def _generate(path: str, output: str | None) -> int:
    source = generation.models(workbench.load(path), title=f"Models of {Path(path).name}.")
    if output is None:
        sys.stdout.write(source)
    else:
        Path(output).write_text(source, encoding="utf-8")
    return 0
