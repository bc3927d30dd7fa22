"""Keys that templates make of fields, and that are stored otherwise than they would be made.

What is compared is the text of the key, with what the template makes of the object: text by text where
that is simple. Imported where a model has templates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.key_spelling import PLAIN, Check, is_assigned, shape_of, written_in_key
from dynattrs.schema.model_info import ComputedKeys, ModelInfo
from dynattrs.schema.slot_styles import Fixed, Number, Padded, Rest, Words
from dynattrs.schema.table import AttributeValue
from dynattrs.schema.templates import Slot, Template, value_at


def template_checks(codec: ClassCodec, info: ModelInfo, keys: ComputedKeys) -> Iterator[Check]:
    """What is to be checked of the key attributes that templates make."""
    for name in info.table.key:
        template = keys.templates.get(name)
        if template is not None and not _is_read_from_it(codec, keys, template):
            yield _of_template(codec, template)


def _is_read_from_it(codec: ClassCodec, keys: ComputedKeys, template: Template) -> bool:
    """Whether all that a key attribute is made of is read from it, as text that stays as it is."""
    hidden = {keys.names[name] for name in keys.key_only}
    fields: dict[tuple[str, ...], FieldCodec] = {
        (field.stored,): field for field in codec.members if field.stored in hidden
    }
    return template.tag == "S" and all(
        slot.steps in fields
        and fields[slot.steps].codec is PLAIN[str]
        and is_assigned(codec, fields[slot.steps])
        for slot in template.slots
    )


def _of_template(codec: ClassCodec, template: Template) -> Check:
    """When a key attribute is another one than its template makes of the fields beside it."""
    if template.tag != "S":
        slot = partial(_of_slot, codec, template, 0)
        return Check(template.attribute, template.tag, "$a != $0($i)", (slot,))
    functions: list[Callable[..., Any]] = []
    odd: list[str] = []
    texts: list[str] = []
    made = [""]  # pieces of code; every second one is the inside of an f-string
    for place, part in enumerate(template.parts):
        if isinstance(part, str):
            made[-1] += _in_f_string(part)
            continue
        field = next((each for each in codec.members if part.steps == (each.stored,)), None)
        if field is not None and (usual := _usual_text(field, part)) is not None:
            made[-1] += usual
        elif field is not None and _stands_beside(codec, field, part):
            # Text by text, where the field's own has the shape that is written.
            code = f"$s{len(texts)}"
            odd.append(shape_of(field.codec).replace("$p", code).replace("$v", f"$i.{field.name}"))
            texts.append(field.stored)
            made += [code, ""]
        else:
            made += [f"${len(functions)}($i)", ""]
            functions.append(partial(_of_slot, codec, template, place))
    pieces = [each if at % 2 else f'f"{each}"' for at, each in enumerate(made) if each]
    unlike = " or ".join([f"$p != {' + '.join(pieces)}", *(f"({each})" for each in odd if each)])
    return Check(template.attribute, template.tag, unlike, tuple(functions), tuple(texts))


def _in_f_string(text: str) -> str:
    """Text as it stands between the double quotes of an f-string."""
    plain = json.dumps(text)[1:-1].replace("$", "\\x24")
    return plain.replace("{", "{{").replace("}", "}}")


def _usual_text(field: FieldCodec, slot: Slot) -> str | None:
    """The text of a slot inside an f-string, where that is simple."""
    value = f"$i.{field.name}"
    if field.codec is PLAIN[str] and isinstance(slot.style, (Words, Rest)):
        return f"{{{value}}}"
    if field.codec is PLAIN[int] and isinstance(slot.style, (Number, Padded)):
        form = "" if isinstance(slot.style, Number) else f"0{slot.style.width}{slot.style.base}"
        return f"{{{value}:{form}}}"
    return None


def _stands_beside(codec: ClassCodec, field: FieldCodec, slot: Slot) -> bool:
    """Whether what stands in a slot stands in an attribute as well, or is taken out of the key into one,
    as the text of a value that the object has for sure.
    """
    return (
        codec.keys is not None
        and field.codec.tags == {"S"}
        and isinstance(slot.style, (Words, Rest, Fixed))
        and "unlike" not in shape_of(field.codec)
        and is_assigned(codec, field)
    )


def _of_slot(codec: ClassCodec, template: Template, place: int, instance: Any) -> Any:
    """What stands in a slot; nothing that a key has where an object has no value for it."""
    slot = template.slots[0] if template.tag != "S" else template.parts[place]
    assert isinstance(slot, Slot)
    stored: AttributeValue | None = None
    for field in codec.members:
        if field.stored == slot.steps[0]:
            stored = field.codec.dump(getattr(instance, field.name))
    stored = None if stored is None else value_at({slot.steps[0]: stored}, slot.steps)
    if stored is None:
        return ""
    return template.text(place, stored) if template.tag == "S" else written_in_key(stored)
