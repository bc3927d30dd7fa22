"""Hooks that people register: where a converter hears of them."""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING, Any

import cattrs


class Hearing(cattrs.Converter):
    """A cattrs `Converter` that forgets what it has made when a hook is registered."""

    def _forget(self) -> None:
        raise NotImplementedError

    def _changed(self, registered: Any) -> Any:
        self._forget()
        return registered

    if not TYPE_CHECKING:
        # Whatever is registered may change any codec. The signatures stay those of cattrs.

        def register_unstructure_hook(self, *args, **options):
            return self._changed(super().register_unstructure_hook(*args, **options))

        def register_unstructure_hook_func(self, *args, **options):
            return self._changed(super().register_unstructure_hook_func(*args, **options))

        def register_unstructure_hook_factory(self, *args, **options):
            return self._changed(super().register_unstructure_hook_factory(*args, **options))

        def register_structure_hook(self, *args, **options):
            registered = super().register_structure_hook(*args, **options)
            # cattrs keeps hooks of unions apart, where they count less than ours and are not
            # copied. A predicate is asked before all that was there.
            while self._union_struct_registry:
                union, hook = self._union_struct_registry.popitem()
                super().register_structure_hook_func(partial(operator.eq, union), hook)
            return self._changed(registered)

        def register_structure_hook_func(self, *args, **options):
            return self._changed(super().register_structure_hook_func(*args, **options))

        def register_structure_hook_factory(self, *args, **options):
            return self._changed(super().register_structure_hook_factory(*args, **options))
