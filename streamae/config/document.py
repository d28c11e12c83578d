"""Reads a document of keys: every value converted, everything wrong reported at once.

One line per finding:
`FILE:LINE: section.key: what is wrong; did you mean 'nearest'? (valid: ...)`.
"""

import difflib
import itertools
import json
import math
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from streamae.config.keys import (
    Key,
    is_section,
    join,
    keys,
    listed_section,
    pattern,
    sections,
)
from streamae.config.section import Section
from streamae.config.settings import Finding, Reader, Setting, Value
from streamae.config.values import Duration, Secret, Size, Span
from streamae.errors import ConfigError, why

Document = TypeVar("Document", bound=Section)

Violation = tuple[str, str]
"""The path to change, and what is wrong."""

_SHOWN_CHARS: Final = 60


def assemble(
    reader: Reader,
    root: type[Document],
    check: Callable[[Document], Iterable[Violation]],
    origin: str = "",
) -> Document:
    """Return the document that the settings taken by `reader` make, once `check` finds no fault.

    `origin` is where a key is said to be missing that has no place. Raise `ConfigError` with every
    finding, one a line.
    """
    values, findings = _convert_all(reader.entries, root)
    _refuse(findings)
    document: Document = _build(root, "", values, reader.places)
    _refuse(
        Finding(_place(path, reader.places, origin), path, text) for path, text in check(document)
    )
    return document


def read_text(path: Path) -> str:
    """Return the text of a file; raise `ConfigError` when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {why(error)}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error


def convert(value: Value, key: Key) -> Any:
    """Return `value` as the type of `key`; raise ValueError with what was expected."""
    if not _is_unicode(value):
        raise ValueError("holds bytes that are no text")
    for reading in _readings(value, key):
        try:
            converted = msgspec.convert(reading, key.type, strict=False, dec_hook=_parse)
        except msgspec.ValidationError:
            continue
        if not isinstance(converted, float) or math.isfinite(converted):
            return converted
    shown = "" if key.is_secret else f", got {_shown(value)}"
    raise ValueError(f"expected {key.expected}{shown}{_did_you_mean(value, key.choices)}")


def read_plain(of: type[Document], values: Mapping[str, Any]) -> Document:
    """Return the section that `redact` gave as `values`; raise `ValidationError` for any other."""
    return msgspec.convert(values, of, dec_hook=_parse)


def fill(section: type[Document], values: Mapping[str, object]) -> Document:
    """Return the section with these values of its keys, each of the key's own type.

    Raise ValueError with what is wrong, in the words of a file's findings.
    """
    table, structs = keys(section), sections(section)
    converted: dict[str, Any] = {}
    for name, value in values.items():
        if name not in table:
            raise ValueError(f"{name}: unknown key{_nearest_key(name, table, structs)}")
        converted[name] = _checked(value, table[name])
    return section(**converted)


def _checked(value: object, key: Key) -> Any:
    try:
        converted = msgspec.convert(value, key.type, dec_hook=_parse)
        if not isinstance(converted, float) or math.isfinite(converted):
            return converted
    except msgspec.ValidationError:
        pass
    guess = _did_you_mean(str(value), key.choices)
    raise ValueError(f"{key.path}: expected {key.expected}, got {reprlib.repr(value)}{guess}")


def _refuse(findings: Iterable[Finding]) -> None:
    lines = [str(finding) for finding in findings]
    if lines:
        raise ConfigError("\n".join(lines))


def _convert_all(
    entries: Iterable[Setting | Finding], root: type[Section]
) -> tuple[dict[str, Any], list[Finding]]:
    """Return values by path, a later setting replacing an earlier one, and what is wrong."""
    table, structs = keys(root), sections(root)
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for entry in entries:
        if isinstance(entry, Finding):
            findings.append(entry)
            continue
        try:
            values[entry.path] = convert(entry.value, _find_key(entry, table, structs))
        except ValueError as error:
            findings.append(Finding(entry.place, entry.path, str(error)))
    return values, findings


def _find_key(
    setting: Setting, table: Mapping[str, Key], structs: Mapping[str, type[Section]]
) -> Key:
    path = pattern(setting.path)
    key = table.get(path)
    if key is None and path in structs:
        raise ValueError(f"expected a mapping of keys, got {_shown(setting.value)}")
    if key is None and f"{path}[]" in structs:
        raise ValueError(f"expected a list of mappings, got {_shown(setting.value)}")
    if key is None:
        raise ValueError(f"unknown key{_nearest_key(path, table, structs)}")
    return key


def _build(
    section: type[Section], path: str, values: Mapping[str, Any], places: Mapping[str, str]
) -> Any:
    """Return the section; `values` are already converted, so nothing is checked again."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(section):
        below, listed = join(path, field.name), listed_section(field.type)
        if is_section(field.type):
            fields[field.name] = _build(field.type, below, values, places)
        elif listed is not None:
            items = (f"{below}[{index}]" for index in itertools.count())
            given = itertools.takewhile(places.__contains__, items)
            fields[field.name] = tuple(_build(listed, item, values, places) for item in given)
        elif below in values:
            fields[field.name] = values[below]
    return section(**fields)


def _place(path: str, places: Mapping[str, str], origin: str) -> str:
    """Return where a key was given; within a list, else where what it belongs to was."""
    while path not in places and "[" in path:
        path = path.rpartition(".")[0]
    return places.get(path, origin)


def _readings(value: Value, key: Key) -> list[Any]:
    """Return what a value may mean: a number if it looks like one, its text, a list of items."""
    if not isinstance(value, str):
        return [value]
    items = [[item.strip() for item in value.split(",")]] if key.is_list and value else []
    try:
        number = json.loads(value)
    except ValueError:
        return [value, *items]
    return [number, value, *items] if type(number) in (int, float) else [value, *items]


def _is_unicode(value: Value) -> bool:
    """Return whether there is no lone surrogate, as variables that are not UTF-8 have."""
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return False
    return True


def _parse(wanted: type, value: Any) -> Any:
    if issubclass(wanted, Duration | Size | Secret | Span):
        return wanted.parse(value)
    raise NotImplementedError(wanted)


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return f"'{value[:_SHOWN_CHARS]}{'…' if len(value) > _SHOWN_CHARS else ''}'"
    return {type(None): "null", list: "a list", dict: "a mapping"}[type(value)]


def _did_you_mean(value: object, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(value).lower(), choices, n=1) if choices else []
    return f"; did you mean '{near[0]}'?" if near else ""


def _nearest_key(path: str, table: Mapping[str, Key], structs: Mapping[str, type[Section]]) -> str:
    """Return a guess (same name in another section, nearest name, nearest path) and the names."""
    section, _, name = path.rpartition(".")
    siblings = [field.name for field in msgspec.structs.fields(structs.get(section, structs[""]))]
    guesses = [key for key in table if key.rpartition(".")[2] == name]
    guesses = guesses or difflib.get_close_matches(name, siblings, n=1)
    guesses = guesses or difflib.get_close_matches(path, table, n=1, cutoff=0.8)
    guess = " or ".join(f"'{key}'" for key in guesses)
    return f"{f'; did you mean {guess}?' if guess else ''} (valid: {', '.join(siblings)})"
