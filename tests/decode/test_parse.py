import math
import struct

import numpy as np
import pytest

from streamae.config import RecordConfig
from streamae.decode.parse import format_of, names_of, parse, row_of, times_of
from streamae.decode.rejects import Reason, RejectedError
from tests.record_values import (
    CSV_REJECTS,
    JSON_REJECTS,
    KEYED,
    NAMES,
    NAN,
    ODD_BUT_VALID,
    ONLY_B,
    SAME_ROW,
    TIMESTAMPS,
    content_type,
)


def read(value, columns=None, **config):
    settings = RecordConfig(**config)
    default = "csv" if columns else "json"
    format_ = default if settings.format == "auto" else settings.format
    fields = parse(value, format_, settings, columns)
    return row_of(fields.values, NAMES), fields


@pytest.mark.parametrize(("value", "config", "columns"), SAME_ROW)
def test_every_format_gives_the_same_row(value, config, columns):
    row, fields = read(value, columns, **config)
    assert row == [1, -2.5, 300]
    assert (fields.key, fields.timestamp_ms) == (None, None)


@pytest.mark.parametrize(("value", "config", "columns"), ONLY_B)
def test_missing_values_are_nan(value, config, columns):
    np.testing.assert_array_equal(read(value, columns, **config)[0], [NAN, 2, NAN])


@pytest.mark.parametrize(("value", "expected"), ODD_BUT_VALID)
def test_odd_but_valid(value, expected):
    assert read(value)[0][0] == pytest.approx(expected, rel=1e-15)


def refused(value, columns=None, **config):
    with pytest.raises(RejectedError) as info:
        read(value, columns, **config)
    assert 0 < len(str(info.value)) <= 200
    assert str(info.value).encode()
    return info.value.reason


@pytest.mark.parametrize(("value", "reason"), JSON_REJECTS)
def test_json_reasons(value, reason):
    assert refused(value, format="json") == reason


@pytest.mark.parametrize(("value", "config", "columns", "reason"), CSV_REJECTS)
def test_csv_reasons(value, config, columns, reason):
    assert refused(value, columns, format="csv", **config) == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (bytes(11), Reason.WRONG_LENGTH),
        (bytes(8), Reason.WRONG_LENGTH),
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (struct.pack("<3f", 1, -math.inf, 1), Reason.OUT_OF_RANGE),
        (struct.pack("<3f", NAN, NAN, NAN), Reason.NO_FEATURES),
    ],
)
def test_float32_reasons(value, reason):
    assert refused(value, format="float32") == reason


@pytest.mark.parametrize(("value", "key"), KEYED)
def test_key_field(value, key):
    if key is None:
        assert refused(value, key_field="k") is Reason.BAD_KEY
    else:
        assert read(value, key_field="k")[1].key == (None if key == b"own" else key)


def test_csv_keys_keep_their_spelling():
    assert read(b"1,007", ("a", "k"), key_field="k")[1].key == b"007"
    assert read(b'1,"a,b"', ("a", "k"), key_field="k")[1].key == b"a,b"


@pytest.mark.parametrize(("written", "unit", "expected"), TIMESTAMPS)
def test_timestamp_field(written, unit, expected):
    value = b'{"a":1,"t":%s}' % written.encode()
    config = {"timestamp_field": "t", "timestamp_unit": unit}
    if expected is None:
        assert refused(value, **config) is Reason.BAD_TIMESTAMP
    else:
        assert read(value, **config)[1].timestamp_ms == expected


def test_csv_timestamps_are_numbers_or_iso_8601():
    for cell, expected in ((b"1500", 1500), (b"1970-01-01T00:00:02Z", 2000)):
        assert read(b"1," + cell, ("a", "t"), timestamp_field="t")[1].timestamp_ms == expected


def test_details_name_the_feature_and_stay_short():
    with pytest.raises(RejectedError, match="'b' holds text"):
        read(b'{"a":1,"b":"' + b"x" * 1000 + b'"}')
    name = "n" * 1000
    with pytest.raises(RejectedError) as info:
        row_of({name: "text"}, [name])
    assert len(str(info.value)) < 100


def test_names_are_of_numbers_and_nulls():
    values = {"b": 1, "host": "x", "a": None, "up": True, "k": 2.5, "t": 3}
    assert names_of(values, {"t", None}) == ["b", "a", "k"]
    assert names_of([1, "x"], {None}) == ["x0", "x1"]
    with pytest.raises(RejectedError, match="surrogate"):
        names_of({"a\udfff": 1}, set())


NOW_MS = 1_763_800_000_000


@pytest.mark.parametrize("late_s", [-86_399, 0, 0.25, 86_399])
def test_numbers_that_are_the_time_in_any_unit(late_s):
    now_s = NOW_MS / 1000 - late_s
    values = {"s": now_s, "ms": int(now_s * 1e3), "us": int(now_s * 1e6), "ns": int(now_s * 1e9)}
    assert times_of(values, NOW_MS) == ["s", "ms", "us", "ns"]


@pytest.mark.parametrize("scale", [1, 1000, 1_000_000, 1_000_000_000])
def test_numbers_that_are_no_time(scale):
    counters = {"up": 3 * scale, "sent": 1_763_999_999 * scale, "took": 999_999_999 * scale}
    others = {"none": None, "text": str(NOW_MS), "flag": True, "nan": math.nan, "inf": math.inf}
    assert times_of(counters | others | {"zero": 0, "most": 1.7e308}, NOW_MS) == []
    assert times_of({"time": NOW_MS // 1000}, -1) == []
    assert times_of(counters, 1500) == []
    assert times_of([NOW_MS], NOW_MS) == []


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json; charset=utf-8", "json"),
        ("TEXT/CSV", "csv"),
        ("application/octet-stream", "float32"),
        ("application/x-float32", "float32"),
        ("application/vnd.acme+json", "json"),
        ("", "json"),
    ],
)
def test_content_type(header, expected):
    assert format_of((("trace", b"text/csv"), *content_type(header)), "json") == expected


def test_unknown_content_type():
    assert format_of((), "csv") == "csv"
    with pytest.raises(RejectedError, match="image/png"):
        format_of(content_type("image/png"), "json")
