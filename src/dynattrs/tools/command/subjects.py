"""Models and tables of the user's program: `shop.models:Song`, `shop:app`, `shop`."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, get_origin

import attrs
import click

from dynattrs.schema.model_info import info_of, models_in
from dynattrs.schema.table import Table


@attrs.frozen
class Subjects:
    """What was named.

    Attributes:
        spec: How it was named.
        models: The models, in the order of their declarations.
        tables: `Table` objects that were named, or are in the module.
    """

    spec: str
    models: list[type[object]]
    tables: list[Table]

    @property
    def declarations(self) -> list[type[object] | Table]:
        """What `session.tables` takes. A model may say more of a table than its `Table`."""
        return [*self.tables, *self.models]

    def only_model(self) -> type[object]:
        """The model, where there has to be one.

        Raises:
            UsageError: There are several.
        """
        if len(self.models) != 1:
            names = ", ".join(model.__name__ for model in self.models)
            raise click.UsageError(
                f"{self.spec} has {len(self.models)} models ({names}); name one of them, as module:Model"
            )
        return self.models[0]

    def of_one_table(self) -> list[type[object]]:
        """The models, which are all of one table.

        Raises:
            UsageError: They are not.
        """
        names: dict[str, list[str]] = {}
        for model in self.models:
            info = info_of(model)
            assert info is not None
            names.setdefault(info.table.name, []).append(model.__name__)
        if len(names) > 1:
            shown = "; ".join(f"{table}: {', '.join(models)}" for table, models in names.items())
            raise click.UsageError(
                f"{self.spec} has models of several tables ({shown}); name a model or a Table of it"
            )
        return self.models


class NotFound(LookupError):
    """The module or the name does not exist, or is neither a model nor a table."""


if TYPE_CHECKING:
    _ParamType = click.ParamType[Subjects]
else:  # older releases of click do not say of what
    _ParamType = click.ParamType


class SubjectsType(_ParamType):
    """`module:Model`, `module:Table`, or `module` for all that is declared in it."""

    name = "module:name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Subjects:
        if isinstance(value, Subjects):
            return value
        try:
            return load(str(value))
        except NotFound as error:
            self.fail(str(error), param, ctx)
        except SystemExit as error:
            # The command would end with the module's exit code, as if it had done its work.
            raise click.UsageError(
                f"{value} cannot be imported: it calls sys.exit({error.code!r}) when it is imported; put "
                f'what it runs under `if __name__ == "__main__":`'
            ) from error
        except Exception as error:
            raise click.UsageError(
                f"{value} cannot be imported: {type(error).__name__}: {error}"
            ) from error


def load(spec: str) -> Subjects:
    """What is named, imported from the current directory or from where Python finds it.

    Raises:
        NotFound: It cannot be used; the message says why.
    """
    name, _, place = spec.partition(":")
    module = _imported(name)
    if not place:
        return _all_of(spec, module)
    found: object = module
    for part in place.split("."):
        if not hasattr(found, part):
            raise NotFound(f"{name} has no {place!r}{_there_are(module)}")
        found = getattr(found, part)
    if isinstance(found, Table):
        return Subjects(spec, [info.cls for info in models_in(found)], [found])
    if info_of(found) is not None and isinstance(found, type):
        return Subjects(spec, [found], [])
    if isinstance(found, ModuleType):
        return _all_of(spec, found)
    if (model := info_of(get_origin(found))) is not None:
        raise NotFound(
            f"{spec} is a {model.name} with arguments; name the model itself, {model.name}"
        )
    raise NotFound(f"{spec} is a {type(found).__name__}, neither a model nor a Table")


def look_here(folder: str | None = None) -> None:
    """Let Python find modules in a folder, the current one if none is said."""
    here = folder or str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _imported(name: str) -> ModuleType:
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise NotFound(f"file {name!r} does not exist")
        folder, file, name = str(path.parent.resolve()), name, path.stem
        if not name.isidentifier():
            raise NotFound(
                f"{file!r} cannot be imported: {name!r} is not a name of a module; call the file "
                f"{re.sub('[^A-Za-z0-9_]', '_', name)}.py"
            )
    else:
        folder = str(Path.cwd())
    look_here(folder)
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise NotFound(f"{name!r} is not a module; write module:name, such as shop.models:Song")
    try:
        # What it prints is not a part of the output, which another program may read.
        with contextlib.redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Another name is missing in the module, which is an error of it.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise NotFound(
            f"module {error.name!r} was found neither in {folder} nor where Python looks for modules"
        ) from error


def _all_of(spec: str, module: ModuleType) -> Subjects:
    values = list(vars(module).values())
    tables = list({id(each): each for each in values if isinstance(each, Table)}.values())
    named = [each for each in values if isinstance(each, type) and info_of(each) is not None]
    declared = [info.cls for table in tables for info in models_in(table)]
    models = list(dict.fromkeys([*named, *declared]))
    if not models and not tables:
        raise NotFound(f"{spec} declares no model and no Table")
    return Subjects(spec, models, tables)


def _there_are(module: ModuleType) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if isinstance(value, Table) or info_of(value) is not None
    ]
    return f"; there are {', '.join(names)}" if names else ""
