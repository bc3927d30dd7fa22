"""A cattrs `Converter` that is told of every hook that is registered on it."""

from __future__ import annotations

import operator
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_origin

import cattrs


class ForgetfulConverter(cattrs.Converter):
    """A cattrs `Converter` that forgets what it has made when a hook is registered."""

    def _forget(self) -> None:
        raise NotImplementedError

    def _changed(self, registered: object) -> Any:
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

        def register_structure_hook(self, cl, func=None):
            if func is None or get_origin(cl) not in (Union, UnionType):
                return self._changed(super().register_structure_hook(cl, func))
            # cattrs keeps hooks of unions apart, where they count less than ours and are not
            # copied. A predicate is asked before all that was there.
            return self.register_structure_hook_func(partial(operator.eq, cl), func)

        def register_structure_hook_func(self, *args, **options):
            return self._changed(super().register_structure_hook_func(*args, **options))

        def register_structure_hook_factory(self, *args, **options):
            return self._changed(super().register_structure_hook_factory(*args, **options))
