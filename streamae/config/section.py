"""What a group of configuration keys is made of."""

from typing import Any

from msgspec import Meta, Struct


def about(text: str, **limits: Any) -> Meta:
    return Meta(description=text, **limits)


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of keys; unknown ones are an error."""
