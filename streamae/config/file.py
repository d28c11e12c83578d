"""Loads a configuration: defaults < file < environment < `--set`, every value checked.

What is wrong is reported all at once, one line per finding:
`FILE:LINE: section.key: what is wrong; did you mean 'nearest'? (valid: ...)`.
"""

import difflib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from streamae.config.keys import Key, is_section, join, keys, sections
from streamae.config.rules import check
from streamae.config.sections import Config, Section
from streamae.config.settings import Finding, Reader, Setting, Value
from streamae.config.values import Duration, Secret, Size
from streamae.errors import ConfigError, why

NO_ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType({})

_SHOWN_CHARS: Final = 60


def load(
    path: Path | None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = NO_ENVIRONMENT,
) -> Config:
    """Return the configuration of a file with `overrides` (`section.key=VALUE`) on top.

    `environ` fills `${VAR}` in the file and gives `STREAMAE_SECTION__KEY` values; without `path`
    the defaults are the base. Raise `ConfigError` with every finding, one a line.
    """
    table = keys()
    reader = Reader(sections(), environ)
    if path is not None:
        reader.read_yaml(_read(path), str(path))
    reader.read_environment(table)
    reader.read_overrides(overrides)
    values, findings = _convert_all(reader.entries, table)
    _refuse(findings)
    config: Config = _build(Config, "", values)
    places = {entry.path: entry.place for entry in reader.entries}
    origin = str(path) if path else ""
    _refuse(Finding(places.get(key, origin), key, text) for key, text in check(config))
    return config


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


def plain(value: Any) -> Any:
    """Return a configuration value as JSON and YAML have it; a secret as `[redacted]`."""
    if isinstance(value, Secret):
        return "[redacted]"
    if isinstance(value, Duration | Size):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def redact(config: Section) -> dict[str, Any]:
    """Return the configuration as nested dicts that may be shown to anyone."""
    names = [field.name for field in msgspec.structs.fields(config)]
    values = {name: getattr(config, name) for name in names}
    return {
        name: redact(value) if isinstance(value, Section) else plain(value)
        for name, value in values.items()
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {why(error)}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error


def _refuse(findings: Iterable[Finding]) -> None:
    lines = [str(finding) for finding in findings]
    if lines:
        raise ConfigError("\n".join(lines))


def _convert_all(
    entries: Iterable[Setting | Finding], table: Mapping[str, Key]
) -> tuple[dict[str, Any], list[Finding]]:
    """Return values by path, a later setting replacing an earlier one, and what is wrong."""
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for entry in entries:
        if isinstance(entry, Finding):
            findings.append(entry)
            continue
        try:
            values[entry.path] = convert(entry.value, _find_key(entry, table))
        except ValueError as error:
            findings.append(Finding(entry.place, entry.path, str(error)))
    return values, findings


def _find_key(setting: Setting, table: Mapping[str, Key]) -> Key:
    key = table.get(setting.path)
    if key is None and setting.path in sections():
        raise ValueError(f"expected a mapping of keys, got {_shown(setting.value)}")
    if key is None:
        raise ValueError(f"unknown key{_nearest_key(setting.path, table)}")
    return key


def _build(section: type[Section], path: str, values: Mapping[str, Any]) -> Any:
    """Return the section; `values` are already converted, so nothing is checked again."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(section):
        below = join(path, field.name)
        if is_section(field.type):
            fields[field.name] = _build(field.type, below, values)
        elif below in values:
            fields[field.name] = values[below]
    return section(**fields)


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
    if issubclass(wanted, Duration | Size | Secret):
        return wanted.parse(value)
    raise NotImplementedError(wanted)


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return f"'{value[:_SHOWN_CHARS]}{'…' if len(value) > _SHOWN_CHARS else ''}'"
    return {type(None): "null", list: "a list", dict: "a mapping"}[type(value)]


def _did_you_mean(value: Value, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(value).lower(), choices, n=1) if choices else []
    return f"; did you mean '{near[0]}'?" if near else ""


def _nearest_key(path: str, table: Mapping[str, Key]) -> str:
    """Return a guess (same name in another section, nearest name, nearest path) and the names."""
    section, _, name = path.rpartition(".")
    structs = sections()
    siblings = [field.name for field in msgspec.structs.fields(structs.get(section, Config))]
    guesses = [key for key in table if key.rpartition(".")[2] == name]
    guesses = guesses or difflib.get_close_matches(name, siblings, n=1)
    guesses = guesses or difflib.get_close_matches(path, table, n=1, cutoff=0.8)
    guess = " or ".join(f"'{key}'" for key in guesses)
    return f"{f'; did you mean {guess}?' if guess else ''} (valid: {', '.join(siblings)})"
