"""Dashboards held against Grafana's own schema, as its builders for Python have it."""

import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args, get_type_hints

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

BY_THE_DATA_SOURCE = {"titleFormat", "textFormat"}
"""Keys of an annotation that only Prometheus' plugin knows."""


def findings(dashboard: dict[str, Any]) -> list[str]:
    """Return the places of keys that Grafana does not know, and of values that it does not take."""
    plugins.register_default_plugins()
    read = Dashboard.from_json(dashboard)
    written = json.loads(JSONEncoder().encode(read))
    return [*_dropped(dashboard, written, ""), *_strange(read, "")]


def _dropped(asked: Any, kept: Any, path: str) -> Iterator[str]:
    if isinstance(asked, dict):
        for key in asked.keys() - BY_THE_DATA_SOURCE:
            if key in kept:
                yield from _dropped(asked[key], kept[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(asked, list):
        for number, (one, other) in enumerate(zip(asked, kept, strict=True)):
            yield from _dropped(one, other, f"{path}.{number}")
    elif asked != kept:
        yield path


def _strange(read: Any, path: str, hint: Any = None) -> Iterator[str]:
    choices = [part for part in _parts(hint) if isinstance(part, type(Enum))]
    if choices and isinstance(read, str | int):
        if read not in {choice.value for each in choices for choice in each}:
            yield f"{path}: {read}"
        return
    for name, one, inner in _children(read):
        yield from _strange(one, f"{path}.{name}", inner)


def _children(read: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the name, the value and the type of what is below."""
    if isinstance(read, dict | list):
        for name, one in read.items() if isinstance(read, dict) else enumerate(read):
            yield name, one, None
    elif hasattr(read, "__dict__"):
        for name, hint in get_type_hints(type(read)).items():
            yield name, getattr(read, name), hint


def _parts(hint: Any) -> list[Any]:
    inner = get_args(hint)
    return [part for one in inner for part in _parts(one)] if inner else [hint]
