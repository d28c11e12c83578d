"""The keys of a document as a table, read off its structs; the configuration is one.

Paths are dotted, as in `source.kind`. A field that is a list of sections counts once, as
`tests[].name`; a place in a file says which one, as `tests[2].name`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal, TypeGuard, get_args, get_origin

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as introspect

from streamae.config.section import Change, Section
from streamae.config.sections import Config
from streamae.config.values import Duration, Secret, Size, Span

_WORDS: Final[Mapping[type, str]] = {
    introspect.BoolType: "true or false",
    introspect.NoneType: "null",
    introspect.StrType: "text",
    introspect.IntType: "a whole number",
    introspect.FloatType: "a number",
    introspect.DictType: "a mapping",
    Duration: "a duration such as 5s",
    Size: "a size such as 64KiB",
    Secret: "text",
    Span: "a whole number or a range such as 10-20",
}
_INDEX: Final = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the configuration."""

    path: str
    """Dotted, as in `source.kind`."""
    type: Any
    """The annotation: what `msgspec.convert` takes."""
    default: Any
    about: str
    change: Change

    @property
    def alternatives(self) -> tuple[introspect.Type, ...]:
        """The types of which a value must be one."""
        return _alternatives(introspect.type_info(self.type))

    @property
    def choices(self) -> tuple[str, ...]:
        """The values a key of fixed choices takes, in the order declared; empty for other keys."""
        return tuple(_literals(self.type))

    @property
    def expected(self) -> str:
        """The values the key takes, in words."""
        return " or ".join(
            _one_of(self.choices) if isinstance(part, introspect.LiteralType) else _in_words(part)
            for part in self.alternatives
        )

    @property
    def is_secret(self) -> bool:
        """Whether the value must not be shown."""
        return any(getattr(part, "cls", None) is Secret for part in self.alternatives)

    @property
    def is_list(self) -> bool:
        """Whether the value may be a list."""
        return any(isinstance(part, introspect.VarTupleType) for part in self.alternatives)


@cache
def keys(root: type[Section] = Config) -> Mapping[str, Key]:
    """Return every key by its path, in the order of the structs."""
    return MappingProxyType({key.path: key for key in _keys_of(root, "")})


def sections(root: type[Section] = Config) -> Mapping[str, type[Section]]:
    """Return every section by its path; the path of the root is empty."""
    return dict(_sections_of(root, ""))


def pattern(path: str) -> str:
    """Return the path of the key that a place in a file is about."""
    return _INDEX.sub("[]", path)


def changed(before: Config, after: Config) -> list[Key]:
    """Return the keys whose values differ."""
    return [key for path, key in keys().items() if lookup(before, path) != lookup(after, path)]


def lookup(config: Config, path: str) -> Any:
    """Return the value at a dotted path."""
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def join(section: str, name: str) -> str:
    """Return the dotted path of `name` in `section`."""
    return f"{section}.{name}" if section else name


def is_section(annotation: Any) -> TypeGuard[type[Section]]:
    """Return whether a field of this type is a group of keys."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def listed_section(annotation: Any) -> type[Section] | None:
    """Return the section that a field of this type is a list of."""
    item = get_args(annotation)[0] if get_origin(annotation) is tuple else None
    return item if is_section(item) else None


def _below(section: type[Section], path: str) -> Iterator[tuple[Any, str, type[Section] | None]]:
    """Yield each field with its path, and the section that it is or is a list of."""
    for field in msgspec.structs.fields(section):
        here, listed = join(path, field.name), listed_section(field.type)
        if listed is not None:
            yield field, f"{here}[]", listed
        else:
            yield field, here, field.type if is_section(field.type) else None


def _sections_of(section: type[Section], path: str) -> Iterator[tuple[str, type[Section]]]:
    yield path, section
    for _, here, below in _below(section, path):
        if below is not None:
            yield from _sections_of(below, here)


def _keys_of(section: type[Section], path: str) -> Iterator[Key]:
    for field, here, below in _below(section, path):
        if below is not None:
            yield from _keys_of(below, here)
            continue
        default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        info = introspect.type_info(field.type)
        if not isinstance(info, introspect.Metadata):
            raise TypeError(f"{here} says nothing about itself")
        about = str((info.extra_json_schema or {})["description"])
        change = (info.extra or {})["change"] or section.change
        yield Key(here, field.type, default, about, change)


def _alternatives(info: introspect.Type) -> tuple[introspect.Type, ...]:
    if isinstance(info, introspect.Metadata):
        return _alternatives(info.type)
    return info.types if isinstance(info, introspect.UnionType) else (info,)


def _literals(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for part in get_args(annotation):
        yield from _literals(part)


def _one_of(choices: tuple[str, ...]) -> str:
    return f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]


def _in_words(info: introspect.Type) -> str:
    match info:
        case introspect.VarTupleType(item):
            return f"a list of {_in_words(item)}"
        case introspect.LiteralType(values):
            return " and ".join(map(str, values))
        case introspect.CustomType(cls):
            return _WORDS[cls]
        case introspect.StrType(pattern=str(pattern)):
            return f"text like {pattern}"
        case introspect.IntType() | introspect.FloatType():
            return _WORDS[type(info)] + _limits(info)
    return _WORDS[type(info)]


def _limits(info: introspect.IntType | introspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f" from {info.ge} to {info.le}"
    signs = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    limits = ((words, getattr(info, sign)) for sign, words in signs.items())
    words = " and ".join(f"{words} {limit}" for words, limit in limits if limit is not None)
    return f" of {words}" if words else ""
