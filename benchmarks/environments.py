"""Where rivals are installed: not in the project's environment, but in some of their own.

Most live beside dynattrs and the newest boto3, in the versions that the dependency group `rivals` of
pyproject.toml pins. Those that pin another boto3 themselves get an environment each, and so does what
brings pandas with it (`rivals-pandas`). They are made
with uv in a cache folder (`DYNATTRS_BENCHMARKS_CACHE`, otherwise `~/.cache/dynattrs-benchmarks`), for
each checkout its own, and used again; what is installed of dynattrs is the tree as it is now.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

_NEEDS = {
    "main": [str(ROOT), "--group", f"{ROOT / 'pyproject.toml'}:rivals"],
    # aiobotocore decides which botocore there is.
    "aio": [f"{ROOT}[aio]"],
    # pandas and pyarrow are 200 MB, which nothing else needs.
    "pandas": ["--group", f"{ROOT / 'pyproject.toml'}:rivals-pandas"],
    # bloop 3.1.1 demands boto3 1.34, older than the oldest that dynattrs takes.
    "bloop": ["bloop==3.1.1"],
}
_ELSEWHERE = {
    "with_bloop": "bloop", "dynattrs_aio": "aio", "with_aiobotocore": "aio", "with_awswrangler": "pandas"
}  # fmt: skip
#: What a rival asks of Python.
_PYTHONS = {"with_dynamoxy": (3, 12), "with_pydynox": (3, 11)} | dict.fromkeys(
    ("with_pydynox_dicts", "with_pydynox_async"), (3, 11)
)


class NotInstalled(Exception):
    """An environment could not be made; says what the installer said."""


class NeedsPython(NotInstalled):
    """The rival is not made for this Python."""


class Environments:
    """The environments for one Python.

    Args:
        python: An interpreter, or what uv takes for one.
        fresh: Make them anew, with the newest versions that are allowed.
    """

    def __init__(self, python: str, *, fresh: bool = False) -> None:
        self._python = python
        self._fresh = fresh
        cache = os.environ.get("DYNATTRS_BENCHMARKS_CACHE", "~/.cache/dynattrs-benchmarks")
        self._folder = Path(cache).expanduser()
        self._ready: dict[str, Path] = {}

    def interpreter_of(self, rival: str) -> Path:
        """The Python that runs *rival*.

        Raises:
            NotInstalled: It cannot be installed.
        """
        needed = _PYTHONS.get(rival, (0, 0))
        if self._version < needed:
            raise NeedsPython("it needs Python {}.{} or newer".format(*needed))
        name = _ELSEWHERE.get(rival, "main")
        if name not in self._ready:
            self._ready[name] = self._made(name)
        return self._ready[name]

    @functools.cached_property
    def _version(self) -> tuple[int, ...]:
        command = [self._python, "-c", "import sys; print(*sys.version_info[:2])"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return tuple(map(int, said.split()))

    def _made(self, name: str) -> Path:
        # Two checkouts that are measured at the same time must not install over each other.
        tag = "-".join(part.strip("/").replace("/", "-") for part in (str(ROOT), self._python))
        folder = self._folder / tag / name
        interpreter = folder / "bin" / "python"
        if self._fresh or not interpreter.exists():
            uv("venv", "--clear", "--no-project", "--python", self._python, str(folder))
        # The tree may have changed since, its version has not.
        again = ["--reinstall-package", "dynattrs", "--compile-bytecode"]
        uv("pip", "install", "--python", str(interpreter), *again, *_NEEDS[name])
        return interpreter


def python312() -> str:
    """Python 3.12, which the tables are measured with, if it is installed; else this one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    candidates = ["python3.12", *sorted(map(str, pyenv.glob("versions/3.12*/bin/python3.12")))]
    for candidate in candidates:
        found = shutil.which(candidate)
        command = [str(found), "-c", "import sys; assert sys.version_info[:2] == (3, 12)"]
        # A command of that name can be pyenv's word that it knows others.
        if found and not subprocess.run(command, capture_output=True, check=False).returncode:
            return found
    return sys.executable


def uv(*arguments: str, cwd: Path | None = None) -> None:
    """Run uv.

    Raises:
        NotInstalled: It fails, and says why.
    """
    # Its cache may be on another file system, where nothing can be linked.
    command = [*_installer(), *arguments, "--quiet", "--link-mode", "copy"]
    if arguments[0] == "venv":
        command = [*_installer(), *arguments, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise NotInstalled(done.stderr.strip())


@functools.cache
def _installer() -> list[str]:
    found = shutil.which("uv")
    return [found] if found else [sys.executable, "-m", "uv"]
