"""What the keys say about themselves: JSON Schema, a Markdown table, a commented file."""

import textwrap
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from streamae.config.file import plain
from streamae.config.keys import Key, keys, sections
from streamae.config.models import MODELS
from streamae.config.section import Section
from streamae.config.sections import Config
from streamae.config.values import Duration, Size, Span

_HEADER: Final = """\
# yaml-language-server: $schema=streamae.schema.json
#
# Every key with its default; a file needs only the keys it changes.
#
# A value may hold ${VAR} (an error when unset), ${VAR:default}, ${VAR:} (empty), and ${{VAR}} for
# the literal text ${VAR}; within [] it needs quotes. The environment overrides the file:
# STREAMAE_KAFKA__GROUP=x is kafka.group. `--set kafka.group=x` overrides both.
# A list may also be written `a, b`, so that one variable can hold it.
# Durations are 500ms, 5s, 10m, 2h, 1d or seconds; sizes are 64KiB, 16MiB, 1GB or bytes.
"""
_DOCUMENT: Final = """\
# Configuration

Values come from the defaults below, then the file, then the environment (`STREAMAE_KAFKA__GROUP`
is `kafka.group`), then `--set kafka.group=x`; `streamae config echo -c FILE` prints what results.
`${{VAR}}` and `${{VAR:default}}` work in every value. Durations are `500ms`, `5s`, `10m`, `2h`,
`1d` or seconds; sizes are `64KiB`, `16MiB`, `1GB` or bytes. `streamae lint FILE` names everything
that is wrong, with line, key and the nearest valid key.

Another value of a key comes into force by a reload (SIGHUP, or `POST /-/reload` where `http.reload`
allows it), by a restart, or with a new model only: saved state does not fit it.

{keys}
Keys of one model only, and keys with a value per model, are null unless set:

{models}"""
_LINE_CHARS: Final = 100
_CHANGES: Final = {"live": "reload", "restart": "restart", "new model": "new model"}


def schema(root: type[Section] = Config, title: str = "streamae configuration") -> dict[str, Any]:
    """Return the JSON Schema of a file of these keys, for editors."""
    # A section all of whose keys are commented out is null in YAML.
    objects: dict[str, dict[str, Any]] = {
        path: {"type": ["object", "null"], "properties": {}, "additionalProperties": False}
        for path in sections(root)
    }
    for path, key in keys(root).items():
        section, _, name = path.rpartition(".")
        objects[section]["properties"][name] = _key_schema(key)
    for path, section_schema in objects.items():
        parent, _, name = path.rpartition(".")
        if name.endswith("[]"):
            listed = {"type": ["array", "null"], "items": section_schema}
            objects[parent]["properties"][name.removesuffix("[]")] = listed
        elif path:
            objects[parent]["properties"][name] = section_schema
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": title} | objects[""]


def document() -> str:
    """Return the reference of all keys as a Markdown document."""
    return _DOCUMENT.format(keys=table(), models=models())


def table(root: type[Section] = Config) -> str:
    """Return every key with its values, default and meaning as a Markdown table.

    How another value comes into force is said of the configuration alone.
    """
    rows = [("Key", "Takes", "Default", "Meaning", "Changes by"), ("---",) * 5]
    rows += [
        (f"`{key.path}`", key.expected, f"`{_inline(key)}`", key.about, _CHANGES[key.change])
        for key in keys(root).values()
    ]
    n_columns = 5 if root is Config else 4
    escaped = ([cell.replace("|", r"\|") for cell in row[:n_columns]] for row in rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


def models() -> str:
    """Return what the keys that are null by default stand for, per model, as a Markdown table."""
    rows = ["| `detector.model` | its keys, and what null stands for |", "| --- | --- |"]
    for name, model in MODELS.items():
        values = [f"`{key}` {value}" for key, value in model.defaults.items()]
        rows.append(f"| `{name}` | {', '.join(values)} |")
    return "".join(f"{row}\n" for row in rows)


def template() -> str:
    """Return a configuration file of all defaults, each key below its explanation."""
    return _HEADER + "".join(f"{line}\n" for line in _template_lines())


def _template_lines() -> Iterator[str]:
    latest = ""
    for path, key in keys().items():
        section, _, name = path.rpartition(".")
        yield ""
        if section and section != latest:
            yield f"{'  ' * section.count('.')}{section.rpartition('.')[2]}:"
        latest = section
        indent = "  " * path.count(".")
        for sentence in (key.about, f"[{key.expected}]"):
            yield from textwrap.wrap(
                sentence, _LINE_CHARS, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
            )
        yield f"{indent}{name}: {_inline(key)}"


def _key_schema(key: Key) -> dict[str, Any]:
    of_type: dict[str, Any] = msgspec.json.schema(key.type, schema_hook=_value_schema)
    about = {"description": of_type.pop("description"), "default": plain(key.default)}
    # Every value may come from a variable, and a list may be one line of text.
    text = {"type": "string"} if key.is_list else {"type": "string", "pattern": r"\$\{"}
    return about | {"anyOf": [*of_type.pop("anyOf", [of_type] if of_type else []), text]}


def _value_schema(of: type) -> dict[str, Any]:
    if not issubclass(of, Duration | Size | Span):  # A secret.
        return {"type": "string", "writeOnly": True}
    if issubclass(of, Span):
        number = {"type": "integer", "minimum": 0}
        return {"anyOf": [number, {"type": "string", "pattern": r"^\d+\s*-\s*\d+$"}]}
    units = "|".join(of.units)
    number = {"type": "integer" if issubclass(of, Size) else "number", "minimum": 0}
    return {"anyOf": [number, {"type": "string", "pattern": rf"^\d+(\.\d+)?\s*({units})$"}]}


def _inline(key: Key) -> str:
    """Return the default as one line of YAML."""
    dumped = yaml.safe_dump(plain(key.default), default_flow_style=True, width=10_000)
    return dumped.removesuffix("\n...\n").strip()
