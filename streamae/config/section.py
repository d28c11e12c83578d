"""What a group of configuration keys is made of."""

from typing import Any, ClassVar, Literal

from msgspec import Meta, Struct

Change = Literal["live", "restart", "new model"]
"""What another value of a key takes: a reload, a restart, or a detector that starts afresh."""


def about(text: str, change: Change | None = None, **limits: Any) -> Meta:
    """Describe a key; `change` is its section's unless given."""
    return Meta(description=text, extra={"change": change}, **limits)


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of keys; unknown ones are an error."""

    change: ClassVar[Change] = "restart"
