"""What the service takes and gives, besides items: structures whose members have its own names."""

from __future__ import annotations

from typing import Any, TypeAlias

#: A request, a reply, or a part of one, as the methods of a client have them.
Message: TypeAlias = dict[str, Any]
