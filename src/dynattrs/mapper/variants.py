"""Mappers that are like another one, with its hooks, and have other codecs for some types."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from dynattrs.mapper import anything, json_values, scalars

if TYPE_CHECKING:
    from dynattrs.mapper.stored_forms import Forms


def for_json(codecs: Any) -> Any:
    """What gives the codecs of types inside of JSON (see `json_values`)."""
    made = _copy(codecs)
    own = {} if codecs.forms is None else codecs.forms.json_scalars
    made._scalars, made._check_name = {**json_values.PLAIN, **own}, json_values.check_name
    dumps = {each: codec.dump for each, codec in own.items()}
    made._any = made._codecs[Any] = json_values.any_codec(made.codec, dumps)
    return made


def with_forms(codecs: Any, forms: Forms) -> Any:
    """What gives the codecs of types in the stored forms of another library."""
    made = _copy(codecs)
    made.forms, made._outside, made._in_json = forms, made, None
    made._scalars = {**scalars.PLAIN, **forms.scalars}
    made._any = made._codecs[Any] = anything.any_codec(
        made.codec, simple={**anything.SCALARS, **forms.in_any}, told=forms.told
    )
    made._begin_anew()
    return made


def _copy(codecs: Any) -> Any:
    made = copy.copy(codecs)
    made._codecs, made._making, made._customised, made._owns = {}, {}, set(), {}
    return made
