"""The draft as a file: the keys that matter for this stream, and why they have their values."""

import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import yaml

from streamae.budget import DAY_MS
from streamae.config import AlertingConfig, Config, Secret
from streamae.config.file import plain
from streamae.config.keys import keys, lookup
from streamae.draft.facts import Facts, facts
from streamae.draft.roles import Roles, in_words, roles
from streamae.draft.sample import Sample
from streamae.errors import ConfigError
from streamae.terminal import duration, printable
from streamae.types import Floats

ALERTS_PER_DAY = 20
"""What somebody can look at."""
SHARES = (1e-5, 1e-3)
"""Between which a p-value is well known, and still rare."""

_MOST_FIELDS = 10
_LINE_CHARS = 100
_PLAIN = re.compile(r"[\w./][\w./() -]*")


class Entry(NamedTuple):
    """A key with its value."""

    value: Any
    above: Sequence[str] = ()
    """Comment lines."""
    beside: Sequence[str] = ()
    """Comments of the items of a list, which then gets a line each."""


def draft(config: Config, sample: Sample, command: str) -> str:
    """Return a configuration of the sampled stream as YAML; `config` says how to reach it.

    Raise `ConfigError` where no record can be read.
    """
    read = roles(sample.batches, config.record)
    if not read.features:
        left_out = [f"{field.name}: {in_words(field)}" for field in read.left_out[:_MOST_FIELDS]]
        raise ConfigError(
            f"no field is a number ({'; '.join(left_out) or 'no record is readable'})"
        )
    known = facts(sample.batches, read.record)
    if not len(known.x):
        raise ConfigError(f"every record is a dead letter: {_rejects(known)}")
    entries = _given(config) | _record(read, known, config) | _detection(known, sample, config)
    return "\n".join([*_header(sample, known, command), *_lines(entries)]) + "\n"


def _header(sample: Sample, known: Facts, command: str) -> Iterator[str]:
    yield "# yaml-language-server: $schema=streamae.schema.json"
    yield f"# Drafted by `{printable(command)}` from {sample.n_records:,} records."
    if known.rejects:
        yield f"# Dead letters among them: {_rejects(known)}."
    yield "# `streamae config init` alone prints every key with its default."


def _rejects(known: Facts) -> str:
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in known.rejects.most_common())
    return f"{reasons}; the first at offset {known.first_reject}"


def _given(config: Config) -> dict[str, Entry]:
    """Return the keys that are set already."""
    entries: dict[str, Entry] = {}
    for path, key in keys().items():
        value = lookup(config, path)
        if isinstance(value, Secret):
            variable = "STREAMAE_" + path.upper().replace(".", "__")
            entries[path] = Entry(None, [f"A secret: give it by {variable}."])
        elif value != key.default:
            entries[path] = Entry(plain(value))
    return entries


def _record(read: Roles, known: Facts, config: Config) -> dict[str, Entry]:
    record = read.record
    entries: dict[str, Entry] = {}
    if record.format != config.record.format:
        entries["record.format"] = Entry(record.format, ["How most of the records can be read."])
    if read.key is not None:
        above = [f"What alerts are about: {in_words(read.key)}"]
        above += [f"Or {field.name}: {in_words(field)}" for field in read.other_keys]
        entries["record.key_field"] = Entry(record.key_field, above)
    if read.time is not None:
        entries["record.timestamp_field"] = Entry(record.timestamp_field, ["Event time."])
        if read.time.kind == "number":
            entries["record.timestamp_unit"] = Entry(record.timestamp_unit)
    ranges = [
        _range(column) + (", only grows" if name in known.counters else "")
        for name, column in zip(record.features, known.x.T, strict=True)
    ]
    above = [f"Left out: {field.name}, {in_words(field)}" for field in read.left_out]
    if reason := config.detector.too_many(len(record.features)):
        above.append(f"Choose among them: {reason}.")
    entries["record.features"] = Entry(list(record.features), above, ranges)
    if known.counters and config.detector.diff == "auto":
        entries["detector.diff"] = Entry(known.counters, ["Counters, judged by their change."])
    return entries


def _range(values: Floats) -> str:
    """Return the range of one feature [m], and the share of it that is missing."""
    seen = values[~np.isnan(values)].astype(np.float64)
    if not len(seen):
        return "in no record that can be read"
    low, high = f"{seen.min():.4g}", f"{seen.max():.4g}"
    words = (
        f"constant {low}"
        if seen.min() == seen.max()
        else f"{low} to {high}, mean {seen.mean():.4g}"
    )
    missing = 1 - len(seen) / len(values)
    return words + (f", {missing:.2%} missing" if missing else "")


def _detection(known: Facts, sample: Sample, config: Config) -> dict[str, Entry]:
    """Return the alert budget, where event times say how many alerts it is."""
    per_day = known.records_per_day
    if per_day is None or config.alerting.budget != AlertingConfig().budget:
        return {}
    low, high = SHARES
    count = max(per_day * low, min(ALERTS_PER_DAY, per_day * high))
    digits = 0 if count >= ALERTS_PER_DAY else 2
    budget = f"{count:.{digits}f}"
    if not float(budget):
        return {}
    share = float(budget) / per_day
    silent = config.detector.records_before(share)
    silent_s = silent / per_day * DAY_MS / 1000
    above = [
        f"By their event times {per_day:,.0f} records come a day, so this is {share:.2g} of them.",
        f"Nothing is flagged in the first {silent:,}, {duration(silent_s)} at this rate.",
    ]
    if sample.n_partitions > 1:
        above.append(f"Each of the {sample.n_partitions} partitions has a budget of its own.")
    return {"alerting.budget": Entry(f"{budget} per day", above)}


def _lines(entries: Mapping[str, Entry]) -> Iterator[str]:
    latest = ""
    for path in keys():
        if path not in entries:
            continue
        entry, (section, _, name) = entries[path], path.rpartition(".")
        if section and section != latest:
            yield f"{section}:"
        latest, indent = section, "  " if section else ""
        for line in entry.above:
            yield from _wrapped(line, indent)
        if entry.beside:
            yield f"{indent}{name}:"
            for item, words in zip(entry.value, entry.beside, strict=True):
                yield f"{indent}  - {_inline(item)}  # {words}"
        elif entry.value is not None:
            yield f"{indent}{name}: {_inline(entry.value)}"


def _wrapped(line: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(
        printable(line), _LINE_CHARS, initial_indent=start, subsequent_indent=start
    )


def _inline(value: Any) -> str:
    """Return a value as one line of YAML in which nothing is a variable."""
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    text = re.sub(r"\$\{([^{}]*)\}", r"${{\1}}", value)
    plain = _PLAIN.fullmatch(text) and yaml.safe_load(text) == text
    return text if plain else yaml.safe_dump(text, default_style='"', width=math.inf).rstrip("\n")
