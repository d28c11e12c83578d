"""What each field of a stream is for: key, event time, feature, or nothing."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import structs

from streamae.config import RecordConfig
from streamae.draft.survey import MOST_VALUES, MOSTLY, Field, survey
from streamae.terminal import counted
from streamae.types import RecordBatch

Format = Literal["auto", "json", "float32", "csv"]

_OTHER_FORMATS: tuple[Format, ...] = ("csv", "float32")
_RETURNS = 4
"""Records per value of a key, at least: it names things that come back."""
_SHOWN = 3


class Roles(NamedTuple):
    """How the records are to be read."""

    record: RecordConfig
    key: Field | None
    other_keys: list[Field]
    time: Field | None
    features: list[Field]
    left_out: list[Field]


def roles(batches: Sequence[RecordBatch], record: RecordConfig) -> Roles:
    """Return what suits the records; what `record` says already stays, and so do record keys."""
    format_, fields = _readable(batches, record)
    n = sum(map(len, batches))
    time = _chosen(fields, record.timestamp_field, _times(fields.values(), n))
    keyed = sum(key is not None for batch in batches for key in batch.keys) >= MOSTLY * n
    keys = [] if keyed else [field for field in _keys(fields.values(), n) if field is not time]
    key = _chosen(fields, record.key_field, keys)
    rest = [field for field in fields.values() if field is not key and field is not time]
    named = None if record.features == "auto" else set(record.features)
    features: list[Field] = []
    left_out: list[Field] = []
    for field in rest:
        (features if _is_feature(field, named) else left_out).append(field)
    names = tuple(field.name for field in features)
    return Roles(
        record=structs.replace(
            record,
            format=format_,
            features=names if record.features == "auto" else record.features,
            key_field=key and key.name,
            timestamp_field=time and time.name,
            timestamp_unit=(time and time.time_unit) or record.timestamp_unit,
        ),
        key=key,
        other_keys=[field for field in keys if field is not key],
        time=time,
        features=features,
        left_out=left_out,
    )


def in_words(field: Field) -> str:
    """Return what a field holds that is no feature."""
    if field.kind is None:
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in field.kinds.most_common() if n)
        return f"of several kinds: {kinds}"
    if field.kind == "number" and field.is_time:
        return "a time"
    if field.kind not in ("text", "number"):
        return {"boolean": "true or false", "missing": "always missing"}.get(
            field.kind, f"an {field.kind}"
        )
    if len(field.values) > MOST_VALUES:
        return f"{field.kind}, more than {MOST_VALUES:,} values"
    n = len(field.values)
    shown = ", ".join(repr(value)[:40] for value, _ in field.values.most_common(_SHOWN))
    more = ", ..." if len(field.values) > _SHOWN else ""
    return f"{field.kind}, {counted(n, 'value')}: {shown}{more}"


def _readable(
    batches: Sequence[RecordBatch], record: RecordConfig
) -> tuple[Format, dict[str, Field]]:
    """Return the first format that suits half of the records, else the best one, and the fields."""
    plain = structs.replace(record, key_field=None, timestamp_field=None)
    best, found = record.format, survey(batches, plain)
    for format_ in _OTHER_FORMATS if record.format == "auto" else ():
        if 2 * found.n_usable >= sum(map(len, batches)):
            break
        other = survey(batches, structs.replace(plain, format=format_))
        if other.n_usable > found.n_usable:
            best, found = format_, other
    return best, found.fields


def _chosen(fields: Mapping[str, Field], name: str | None, found: Sequence[Field]) -> Field | None:
    if name is not None:
        return fields.get(name, Field(name))
    return found[0] if found else None


def _times(fields: Iterable[Field], n: int) -> list[Field]:
    """Return what is a time in nearly every record, what changes most first."""
    times = [field for field in fields if field.time_unit is not None and field.n >= MOSTLY * n]
    return sorted(times, key=lambda field: -len(field.values))


def _keys(fields: Iterable[Field], n: int) -> list[Field]:
    """Return what may be a key, the likeliest first: by its name, then by how many it tells apart.

    Numbers only when they are called so.
    """
    keys = [
        field
        for field in fields
        if field.n >= MOSTLY * n
        and field.time_unit is None
        and len(field.values) * _RETURNS <= n
        and len(field.values) <= MOST_VALUES
        and (
            (field.kind == "text" and (field.looks_like_a_name or len(field.values) > 1))
            or (field.kind == "number" and field.whole and field.looks_like_a_name)
        )
    ]
    return sorted(keys, key=lambda field: (not field.looks_like_a_name, -len(field.values)))


def _is_feature(field: Field, named: Container[str] | None) -> bool:
    if named is not None:
        return field.name in named
    return field.kind == "number" and not field.outside and not field.is_time
