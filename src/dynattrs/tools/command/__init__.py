"""The command `dynattrs`: what is done from a shell. It needs `dynattrs[cli]`, which is click and rich.

Exit codes: 0, all is well; 1, there is a difference, nothing was found, or nothing was done because you did
not agree; 2, what was asked for makes no sense; 3, the service or the data refused; 130, interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

#: Without what it is built on there is no command, as with options that make no sense.
_CANNOT_START = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    try:
        import_module("rich")  # which is used where something is printed for people
        from dynattrs.tools.command.app import run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.stderr.write(
            f"dynattrs: the command needs {error.name}; install it with: pip install 'dynattrs[cli]'\n"
        )
        return _CANNOT_START
    return run(arguments)
