"""Models to attribute maps and back.

The functions here are those of the default mapper, which models use unless they are declared with
another: `mapper.dump(song)`, `mapper.load(item, Song)`, `mapper.register_structure_hook(...)`.
"""

from __future__ import annotations

from typing import Final

from dynattrs.mapper.annotations import Compressed, Epoch, Json
from dynattrs.mapper.mapper import Mapper, mapper_of

__all__ = [
    "Compressed",
    "Epoch",
    "Json",
    "Mapper",
    "default",
    "dump",
    "from_dynamodb_json",
    "from_json",
    "load",
    "mapper_of",
    "register_structure_hook",
    "register_structure_hook_factory",
    "register_structure_hook_func",
    "register_unstructure_hook",
    "register_unstructure_hook_factory",
    "register_unstructure_hook_func",
    "structure",
    "to_dynamodb_json",
    "to_json",
    "unstructure",
]

#: The mapper of every model that is not declared with another.
default: Final = Mapper()

dump = default.dump
load = default.load
to_json = default.to_json
from_json = default.from_json
to_dynamodb_json = default.to_dynamodb_json
from_dynamodb_json = default.from_dynamodb_json
structure = default.structure
unstructure = default.unstructure
register_structure_hook = default.register_structure_hook
register_structure_hook_func = default.register_structure_hook_func
register_structure_hook_factory = default.register_structure_hook_factory
register_unstructure_hook = default.register_unstructure_hook
register_unstructure_hook_func = default.register_unstructure_hook_func
register_unstructure_hook_factory = default.register_unstructure_hook_factory


def __dir__() -> list[str]:
    return __all__
