import dataclasses
import json
import math
import struct

import numpy as np
import pytest

from streamae.config import RecordConfig
from streamae.decode import Decoded, Decoder, Reason
from streamae.errors import SnapshotError
from streamae.types import UNREADABLE
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
    batch_of,
    content_type,
    mixed_stream,
)


def decode(values, columns=None, headers=None, **config) -> Decoded:
    decoder = Decoder(RecordConfig(**{"features": NAMES, **config}))
    return decoder.decode(batch_of(values, headers, columns))


def reasons(decoded):
    return [(reject.index, reject.reason) for reject in decoded.rejects]


@pytest.mark.parametrize(("value", "config", "columns"), SAME_ROW)
def test_every_format_gives_the_same_row(value, config, columns):
    decoded = decode([value], columns, **config)
    assert decoded.rejects == []
    assert decoded.x.tolist() == [[1, -2.5, 300]]
    assert decoded.x.dtype == np.float32
    assert decoded.x.flags.c_contiguous
    assert (decoded.rows.tolist(), decoded.keys) == ([0], [b"own"])
    assert decoded.timestamps_ms.tolist() == [1000]


@pytest.mark.parametrize(("value", "config", "columns"), ONLY_B)
def test_missing_values_are_nan(value, config, columns):
    decoded = decode([value], columns, **config)
    np.testing.assert_array_equal(decoded.x, np.array([[NAN, 2, NAN]], np.float32))


@pytest.mark.parametrize(("value", "reason"), JSON_REJECTS)
def test_json_reasons(value, reason):
    decoded = decode([value, b'{"a":1}'])
    assert reasons(decoded) == [(0, reason)]
    assert decoded.rows.tolist() == [1]
    assert 0 < len(decoded.rejects[0].detail) <= 200


@pytest.mark.parametrize(("value", "config", "columns", "reason"), CSV_REJECTS)
def test_csv_reasons(value, config, columns, reason):
    assert reasons(decode([value], columns, format="csv", **config)) == [(0, reason)]


def test_float32_rejects():
    good, whole = struct.pack("<3f", 1, 2, 3), struct.Struct("<3f").pack
    bad = [bytes(8), None, b"", whole(1, math.inf, 1), whole(NAN, NAN, NAN)]
    decoded = decode([good, *bad, good], format="float32")
    assert reasons(decoded) == [
        (1, Reason.WRONG_LENGTH),
        (2, Reason.EMPTY),
        (3, Reason.EMPTY),
        (4, Reason.OUT_OF_RANGE),
        (5, Reason.NO_FEATURES),
    ]
    assert decoded.x.tolist() == [[1, 2, 3]] * 2


@pytest.mark.parametrize("features", ["auto", NAMES])
@pytest.mark.parametrize("format_", ["auto", "json", "csv", "float32"])
def test_headers_that_cannot_be_read(format_, features):
    value = {"csv": b"1,2,3", "float32": struct.pack("<3f", 1, 2, 3)}.get(format_, b"[1,2,3]")
    headers = [UNREADABLE, (), content_type("text/csv"), UNREADABLE]
    values = [value, value, b"1,2,3" if format_ == "auto" else value, None]
    decoded = decode(values, headers=headers, format=format_, features=features)
    assert reasons(decoded) == [(0, Reason.BAD_HEADERS), (3, Reason.BAD_HEADERS)]
    assert decoded.x.tolist() == [[1, 2, 3]] * 2


def test_float32_has_one_nan():
    signalling = struct.pack("<2f", 1, 2) + b"\0\0\xa0\x7f"
    decoded = decode([signalling], format="float32")
    assert decoded.x.tobytes() == np.array([[1, 2, NAN]], np.float32).tobytes()


@pytest.mark.parametrize("format_", ["json", "float32"])
def test_max_bytes(format_):
    value = b"[1, 2, 3]   " if format_ == "json" else bytes(12)
    assert reasons(decode([value], format=format_, max_bytes=11)) == [(0, Reason.TOO_LARGE)]
    assert reasons(decode([value], format=format_, max_bytes=12)) == []


def test_arrays_that_cancel_out_are_both_rejected():
    decoded = decode([b"[1,2]", b"[1,2,3,4]", b"[1,2,3]"])
    assert reasons(decoded) == [(0, Reason.WRONG_LENGTH), (1, Reason.WRONG_LENGTH)]


@pytest.mark.parametrize(("value", "expected"), ODD_BUT_VALID)
def test_odd_but_valid(value, expected):
    decoded = decode([value])
    assert decoded.rejects == []
    assert decoded.x[0, 0] == np.float32(expected)


@pytest.mark.parametrize(
    ("values", "columns", "config", "features"),
    [
        ([b'{"b":1,"host":"x","a":null,"up":true}'], None, {}, ("b", "a")),
        ([b'{"b":1,"features":{"z":1,"n":"x","y":2}}'], None, {}, ("z", "y")),
        ([b'{"t":5,"k":7,"b":1}'], None, {"key_field": "k", "timestamp_field": "t"}, ("b",)),
        ([b"[4,5]"], None, {}, ("x0", "x1")),
        ([b'{"features":[4,5]}'], None, {}, ("x0", "x1")),
        ([bytes(8)], None, {"format": "float32"}, ("x0", "x1")),
        ([b"4,5"], None, {"format": "csv"}, ("x0", "x1")),
        ([b"4,web,,5"], ("u", "host", "v", "t"), {"timestamp_field": "t"}, ("u", "v")),
        ([b"{", b'{"host":"x"}', b'{"z":1e999}', b'{"q":1}'], None, {}, ("q",)),
        ([b'{"a":null}', b'{"\\ud800":1}', b"[]", b"[1]"], None, {}, ("x0",)),
        ([b'{"q":1,"k":null}', b'{"r":1,"k":"x"}'], None, {"key_field": "k"}, ("r",)),
    ],
)
def test_auto_takes_the_first_valid_record(values, columns, config, features):
    decoder = Decoder(RecordConfig(**config), columns)
    assert decoder.features is None
    decoded = decoder.decode(batch_of(values))
    assert decoder.features == features
    assert decoded.rows.tolist() == [len(values) - 1]
    assert [reject.index for reject in decoded.rejects] == list(range(len(values) - 1))


@pytest.mark.parametrize(
    ("timestamp_field", "features"),
    [(None, ("a", "day")), ("day", ("a", "at"))],  # Of 1970 the second one, and nothing is near it.
)
def test_auto_leaves_out_what_is_the_time_of_the_first_record(timestamp_field, features):
    values = [b'{"a":1,"at":1763800000123,"day":20414}', b'{"a":1763800000,"at":5,"day":1}']
    batch = dataclasses.replace(batch_of(values), timestamps_ms=np.full(2, 1_763_800_000_000))
    decoder = Decoder(RecordConfig(timestamp_field=timestamp_field, timestamp_unit="s"))
    assert decoder.decode(batch).x.shape == (2, 2)
    assert decoder.features == features
    assert decoder.times == (() if timestamp_field else ("at",))


@pytest.mark.parametrize("format_", ["json", "csv", "float32"])
def test_auto_never_freezes_on_more_features_than_it_may(format_):
    def value(n):
        written = b",".join([b"1"] * n)
        return {"json": b"[%b]" % written, "csv": written, "float32": bytes(4 * n)}[format_]

    decoder = Decoder(RecordConfig(format=format_))
    decoded = decoder.decode(batch_of([value(20_000), value(2_001), value(2_000), value(20_000)]))
    assert decoder.features is not None
    assert len(decoder.features) == 2_000
    assert reasons(decoded) == [
        (0, Reason.TOO_MANY_FEATURES),
        (1, Reason.TOO_MANY_FEATURES),
        (3, Reason.WRONG_LENGTH),
    ]
    assert "20000 features" in decoded.rejects[0].detail
    assert "record.features" in decoded.rejects[0].detail

    named = Decoder(RecordConfig(format=format_, features=tuple(f"x{j}" for j in range(2_001))))
    assert named.decode(batch_of([value(2_001)])).x.shape == (1, 2_001)


def test_auto_without_a_valid_record():
    decoder = Decoder(RecordConfig())
    decoded = decoder.decode(batch_of([b"{", None]))
    assert decoder.features is None
    assert decoded.x.shape == (0, 0)
    assert reasons(decoded) == [(0, Reason.INVALID_JSON), (1, Reason.EMPTY)]


def test_an_empty_batch():
    assert Decoder(RecordConfig()).decode(batch_of([])).x.shape == (0, 0)
    assert decode([]).x.shape == (0, 3)


def test_freeze():
    decoder = Decoder(RecordConfig())
    decoder.freeze(NAMES)
    decoder.freeze(NAMES)
    assert decoder.decode(batch_of([b'{"c":1,"d":2}'])).x[0, 2] == 1
    with pytest.raises(SnapshotError, match=r"record\.features"):
        decoder.freeze(("a",))


def test_content_type_picks_the_format():
    headers = [
        content_type("application/json; charset=utf-8"),
        (("trace", b"1"), *content_type("text/CSV")),
        content_type("application/octet-stream"),
        content_type("application/vnd.acme+json"),
        content_type("application/x-float32"),
        content_type("image/png"),
        (),
        content_type(""),
    ]
    floats = struct.pack("<3f", 1, 2, 3)
    values = [b"[1,2,3]", b"1,2,3", floats, b"[1,2,3]", floats, b"[1,2,3]", b"[1,2,3]", b"[1,2,3]"]
    decoded = decode(values, headers=headers)
    assert reasons(decoded) == [(5, Reason.UNSUPPORTED_CONTENT_TYPE)]
    assert decoded.x.tolist() == [[1, 2, 3]] * 7
    assert decoded.rows.tolist() == [0, 1, 2, 3, 4, 6, 7]
    configured = decode(values, headers=headers, format="json")
    assert configured.rows.tolist() == [0, 3, 5, 6, 7]


def test_batch_columns_win_over_the_decoders():
    decoder = Decoder(RecordConfig(features=NAMES), ("a", "b", "c"))
    assert decoder.decode(batch_of([b"1,2,3"])).x.tolist() == [[1, 2, 3]]
    assert decoder.decode(batch_of([b"3,2,1"], columns=("c", "b", "a"))).x.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(("value", "key"), KEYED)
def test_key_field(value, key):
    decoded = decode([value], key_field="k")
    if key is None:
        assert reasons(decoded) == [(0, Reason.BAD_KEY)]
    else:
        assert decoded.keys == [key]


def test_csv_keys_keep_their_spelling():
    decoded = decode([b"1,007", b'1,"a,b"'], ("a", "k"), key_field="k")
    assert decoded.keys == [b"007", b"a,b"]


@pytest.mark.parametrize(("written", "unit", "expected"), TIMESTAMPS)
def test_timestamp_field(written, unit, expected):
    value = b'{"a":1,"t":%s}' % written.encode()
    decoded = decode([b"[1,2,3]", value], timestamp_field="t", timestamp_unit=unit)
    if expected is None:
        assert reasons(decoded) == [(1, Reason.BAD_TIMESTAMP)]
    else:
        assert decoded.timestamps_ms.tolist() == [1000, expected]
        assert decoded.timestamps_ms.dtype == np.int64


def test_csv_timestamps_are_numbers_or_iso_8601():
    decoded = decode([b"1,1500", b"1,1970-01-01T00:00:02Z"], ("a", "t"), timestamp_field="t")
    assert decoded.timestamps_ms.tolist() == [1500, 2000]


@pytest.mark.parametrize("names", [('q"', "b\\", "c\n"), ("", " ", "é"), ("features", "a", "f0")])
@pytest.mark.parametrize("key_field", [None, "k"])
def test_any_text_names_a_feature(names, key_field):
    record = {**dict(zip(names, (1, 2, 3), strict=True)), "k": 5}
    values = [json.dumps(record).encode(), json.dumps(record, ensure_ascii=False).encode()]
    decoded = decode(values, features=names, key_field=key_field)
    assert decoded.x.tolist() == [[1, 2, 3]] * 2
    nested = decode([b'{"k":5,"features":[1,2,3]}'], features=names, key_field=key_field)
    assert nested.x.tolist() == [[1, 2, 3]]


def test_a_feature_may_also_be_key_and_timestamp():
    decoded = decode([b'{"a":7,"b":2}'], key_field="a", timestamp_field="a")
    assert (decoded.x[0, 0], decoded.keys, decoded.timestamps_ms.tolist()) == (7, [b"7"], [7])


@pytest.mark.parametrize("features", ["auto", NAMES])
@pytest.mark.parametrize("key_field", [None, "k"])
def test_batching_changes_nothing(features, key_field):
    stream = list(mixed_stream(seed=1, n=600))

    def outcome(size):
        decoder = Decoder(RecordConfig(features=features, key_field=key_field))
        seen = []
        for start in range(0, len(stream), size):
            values, headers = zip(*stream[start : start + size], strict=True)
            decoded = decoder.decode(batch_of(values, headers))
            seen += [(start + r.index, r.reason, r.detail) for r in decoded.rejects]
            seen += [
                (start + row, x.tobytes(), key)
                for row, x, key in zip(decoded.rows, decoded.x, decoded.keys, strict=True)
            ]
        return decoder.features, sorted(seen)

    features_of_one, one_by_one = outcome(1)
    assert len(one_by_one) == len(stream)
    for size in (7, 256):
        assert outcome(size) == (features_of_one, one_by_one)
