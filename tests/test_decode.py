import json
import math
import struct

import numpy as np
import pytest

from streamae.config import RecordConfig
from streamae.decode import Decoded, Decoder, Reason
from streamae.errors import SnapshotError
from streamae.readers import undecided
from streamae.types import RecordBatch, TopicPartition

NAMES = ("a", "b", "c")
NAN = math.nan


def batch_of(values, headers=None, columns=None, keys=None):
    n = len(values)
    return RecordBatch(
        partition=TopicPartition("input", 0),
        offsets=np.arange(n, dtype=np.int64),
        timestamps_ms=np.arange(n, dtype=np.int64) + 1000,
        keys=keys or [b"own"] * n,
        values=values,
        headers=headers or [()] * n,
        next_offset=n,
        columns=columns,
    )


def content_type(name):
    return (("Content-Type", name.encode()),)


def decode(values, columns=None, headers=None, **config) -> Decoded:
    decoder = Decoder(RecordConfig(**{"features": NAMES, **config}))
    return decoder.decode(batch_of(values, headers, columns))


def reasons(decoded):
    return [(reject.index, reject.reason) for reject in decoded.rejects]


@pytest.mark.parametrize(
    ("value", "config", "columns"),
    [
        (b'{"a":1,"b":-2.5,"c":3e2}', {}, None),
        (b' {"c":300,"x":{"y":[1]},"b":-2.5,"a":1,"d":"text"}\n', {}, None),
        (b'{"features":{"c":300,"b":-2.5,"a":1},"a":7}', {}, None),
        (b'{"\\u0066eatures":{"c":300,"b":-2.5,"\\u0061":1},"a":7}', {}, None),
        (b'{"a":7,"features":[1,-2.5,300]}', {}, None),
        (b'{"features":null,"a":1,"b":-2.5,"c":300,"tags":[]}', {}, None),
        (b'{"features":"no","a":1,"b":-2.5,"c":300}', {}, None),
        (b"[1,-2.5,300]", {}, None),
        (b"\n[1, -2.5, 3e2]", {}, None),
        (struct.pack("<3f", 1, -2.5, 300), {"format": "float32"}, None),
        (b"1,-2.5,300", {"format": "csv"}, None),
        (b'"1",-2.5,300\r\n', {"format": "csv"}, None),
        (b"300,a_b,-2.5,1", {}, ("c", "host", "b", "a")),
        (b'300,"x,""y""\n",-2.5,1', {}, ("c", "host", "b", "a")),
    ],
)
def test_every_format_gives_the_same_row(value, config, columns):
    decoded = decode([value], columns, **config)
    assert decoded.rejects == []
    assert decoded.x.tolist() == [[1, -2.5, 300]]
    assert decoded.x.dtype == np.float32
    assert decoded.x.flags.c_contiguous
    assert (decoded.rows.tolist(), decoded.keys) == ([0], [b"own"])
    assert decoded.timestamps_ms.tolist() == [1000]


@pytest.mark.parametrize(
    ("value", "config", "columns"),
    [
        (b'{"b":2}', {}, None),
        (b'{"a":null,"b":2,"c":null}', {}, None),
        (b'{"a":NaN,"b":2}', {}, None),
        (b'{"features":{"b":2,"c":NaN}}', {}, None),
        (b'{"features":[null,2,null]}', {}, None),
        (b"[NaN,2,null]", {}, None),
        (struct.pack("<3f", NAN, 2, NAN), {"format": "float32"}, None),
        (b",2,", {"format": "csv"}, None),
        (b"nan,2,  ", {"format": "csv"}, None),
        (b"2,x", {}, ("b", "host")),
    ],
)
def test_missing_values_are_nan(value, config, columns):
    decoded = decode([value], columns, **config)
    np.testing.assert_array_equal(decoded.x, np.array([[NAN, 2, NAN]], np.float32))


JSON_REJECTS = [
    (None, Reason.EMPTY),
    (b"", Reason.EMPTY),
    (b"  ", Reason.INVALID_JSON),
    (b'{"a":1', Reason.INVALID_JSON),
    (b'{"a":1}{"a":2}', Reason.INVALID_JSON),
    (b'{"a":01}', Reason.INVALID_JSON),
    (b'{"a":1,}', Reason.INVALID_JSON),
    (b'\xef\xbb\xbf{"a":1}', Reason.INVALID_JSON),
    (b'{"a":1,"x":"\\q"}', Reason.INVALID_JSON),
    (b'{"a":1,"x":"\x01"}', Reason.INVALID_JSON),
    (b"[" * 100_000, Reason.INVALID_JSON),
    (b'{"a":1,"x":' + b"[" * 101 + b"]" * 101 + b"}", Reason.INVALID_JSON),
    (b'{"a":1,"\xff":1}', Reason.NOT_UTF8),
    (b'{"a":1,"x":"\xc3"}', Reason.NOT_UTF8),
    (b"null", Reason.WRONG_TYPE),
    (b"5", Reason.WRONG_TYPE),
    (b'"a"', Reason.WRONG_TYPE),
    (b'{"a":"1"}', Reason.WRONG_TYPE),
    (b'{"a":true}', Reason.WRONG_TYPE),
    (b'{"a":{"v":1}}', Reason.WRONG_TYPE),
    (b'{"a":[1]}', Reason.WRONG_TYPE),
    (b'["1",2,3]', Reason.WRONG_TYPE),
    (b'{"features":{"a":"1"}}', Reason.WRONG_TYPE),
    (b"[1,2]", Reason.WRONG_LENGTH),
    (b"[1,2,3,4]", Reason.WRONG_LENGTH),
    (b"[]", Reason.WRONG_LENGTH),
    (b'{"features":[1,2]}', Reason.WRONG_LENGTH),
    (b"{}", Reason.NO_FEATURES),
    (b'{"x":1}', Reason.NO_FEATURES),
    (b'{"features":{},"a":1}', Reason.NO_FEATURES),
    (b'{"a":null,"b":NaN}', Reason.NO_FEATURES),
    (b"[null,null,null]", Reason.NO_FEATURES),
    (b'{"a":1e999}', Reason.OUT_OF_RANGE),
    (b'{"a":Infinity}', Reason.OUT_OF_RANGE),
    (b'{"a":-Infinity}', Reason.OUT_OF_RANGE),
    (b'{"a":3.5e38,"b":1}', Reason.OUT_OF_RANGE),
    (b'{"a":' + b"9" * 100_000 + b"}", Reason.OUT_OF_RANGE),
    (b"[1,2,-1e39]", Reason.OUT_OF_RANGE),
]


@pytest.mark.parametrize(("value", "reason"), JSON_REJECTS)
def test_json_reasons(value, reason):
    decoded = decode([value, b'{"a":1}'])
    assert reasons(decoded) == [(0, reason)]
    assert decoded.rows.tolist() == [1]
    assert 0 < len(decoded.rejects[0].detail) <= 200


@pytest.mark.parametrize(
    ("value", "config", "columns", "reason"),
    [
        (b"1,2", {}, None, Reason.WRONG_LENGTH),
        (b"1,2,3,4", {}, None, Reason.WRONG_LENGTH),
        (b"1,2,x", {}, None, Reason.WRONG_TYPE),
        (b"1,2,1_0", {}, None, Reason.WRONG_TYPE),
        ("1,2,٣".encode(), {}, None, Reason.WRONG_TYPE),
        (b"1,2,inf", {}, None, Reason.OUT_OF_RANGE),
        (b"1,2,1e39", {}, None, Reason.OUT_OF_RANGE),
        (b'1,2,"3', {}, None, Reason.INVALID_CSV),
        (b"1,2,3\n4,5,6", {}, None, Reason.INVALID_CSV),
        (b"1\n,2,3", {}, None, Reason.INVALID_CSV),
        (b"1,2,\xff", {}, None, Reason.NOT_UTF8),
        (b",,", {}, None, Reason.NO_FEATURES),
        (b"\n", {}, None, Reason.WRONG_LENGTH),
        (b"1", {}, ("x",), Reason.NO_FEATURES),
        (b"1,2", {}, ("a",), Reason.WRONG_LENGTH),
        (b"", {}, None, Reason.EMPTY),
        (b"1,2,3", {"max_bytes": 4}, None, Reason.TOO_LARGE),
        (b"1,", {"key_field": "k"}, ("a", "k"), Reason.BAD_KEY),
        (b"1,x", {"timestamp_field": "t"}, ("a", "t"), Reason.BAD_TIMESTAMP),
    ],
)
def test_csv_reasons(value, config, columns, reason):
    assert reasons(decode([value], columns, format="csv", **config)) == [(0, reason)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x00" * 11, Reason.WRONG_LENGTH),
        (b"\x00" * 8, Reason.WRONG_LENGTH),
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (struct.pack("<3f", 1, math.inf, 1), Reason.OUT_OF_RANGE),
        (struct.pack("<3f", NAN, NAN, NAN), Reason.NO_FEATURES),
    ],
)
def test_float32_reasons(value, reason):
    good = struct.pack("<3f", 1, 2, 3)
    decoded = decode([good, value, good], format="float32")
    assert reasons(decoded) == [(1, reason)]
    assert decoded.x.tolist() == [[1, 2, 3]] * 2


@pytest.mark.parametrize("format_", ["json", "float32"])
def test_max_bytes(format_):
    value = b"[1, 2, 3]   " if format_ == "json" else bytes(12)
    assert reasons(decode([value], format=format_, max_bytes=11)) == [(0, Reason.TOO_LARGE)]
    assert reasons(decode([value], format=format_, max_bytes=12)) == []


def test_arrays_that_cancel_out_are_both_rejected():
    decoded = decode([b"[1,2]", b"[1,2,3,4]", b"[1,2,3]"])
    assert reasons(decoded) == [(0, Reason.WRONG_LENGTH), (1, Reason.WRONG_LENGTH)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"a":1,"a":2}', 2),
        (b'{"a":"x","a":2}', 2),
        (b'{"a":1e999,"a":2}', 2),
        (b'{"a":123456789012345678901234567890}', 1.2345678901234568e29),
        (b'{"a":-0}', 0),
        (b'{"a":1e-400}', 0),
        (b'{"a":5,"x":1e999}', 5),
        (b'{"a":5,"x":NaN}', 5),
        (b'{"a":5,"x":"\\ud800"}', 5),
        ('{"a":5,"x":"°"}'.encode(), 5),
        (b'{"a":3.4028235e38}', 3.4028235e38),
        (b'{"a":5,"x":' + b"[" * 99 + b"]" * 99 + b"}", 5),
        (b'{"a":5,"x":"' + b"[" * 1000 + b'\\""}', 5),
        (b'{"a":5,"x":[' + b"[]," * 1000 + b"[]]}", 5),
    ],
)
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


KEYED = [
    (b'{"a":1,"k":"web-1"}', b"web-1"),
    (b'{"a":1,"k":""}', b""),
    (b'{"a":1,"k":7}', b"7"),
    (b'{"a":1,"k":1.5}', b"1.5"),
    (b'{"a":1,"k":123456789012345678901234567890}', b"123456789012345678901234567890"),
    (b'{"a":NaN,"b":1,"k":"slow"}', b"slow"),
    (b'{"k":"out","features":{"a":1,"k":"in"}}', b"out"),
    (b'{"k":"out","features":[1,2,3]}', b"out"),
    ('{"a":1,"k":"\\u00e9é"}'.encode(), "éé".encode()),
    (b"[1,2,3]", b"own"),
    (b'{"a":1}', None),
    (b'{"a":1,"k":null}', None),
    (b'{"a":1,"k":true}', None),
    (b'{"a":1,"k":{}}', None),
    (b'{"a":1,"k":NaN}', None),
    (b'{"a":1,"k":"\\ud800"}', None),
    (b'{"a":1,"k":' + b"9" * 400 + b"}", None),
    (b'{"a":1,"k":' + b"9" * 5000 + b"}", None),
    (b'{"features":{"a":1,"k":"in"}}', None),
]


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


@pytest.mark.parametrize(
    ("written", "unit", "expected"),
    [
        ("1700000000123", "ms", 1_700_000_000_123),
        ("1700000000123.6", "ms", 1_700_000_000_124),
        ("1700000000", "s", 1_700_000_000_000),
        ("1700000000.125", "s", 1_700_000_000_125),
        ("0", "ms", 0),
        ('"2023-11-14T22:13:20Z"', "ms", 1_700_000_000_000),
        ('"2023-11-14T23:13:20.123999+01:00"', "s", 1_700_000_000_123),
        ('"2023-11-14 22:13:20"', "s", 1_700_000_000_000),
        ("1700000000123456789", "ms", None),
        ("-1", "ms", None),
        ('"1700000000123"', "ms", None),
        ('"yesterday"', "ms", None),
        ('"\\ud800"', "ms", None),
        ("null", "ms", None),
        ("true", "ms", None),
        ("NaN", "ms", None),
        ("1e999", "s", None),
        ("9" * 400, "s", None),
    ],
)
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


def mixed_stream(seed, n):
    """Draw records of every kind above, with good ones between them."""
    rng = np.random.default_rng(seed)
    floats = struct.pack("<3f", 1, math.inf, 3)
    odd = [(value, ()) for value, _ in (*JSON_REJECTS, *KEYED)]
    odd += [(b"1,2,3", content_type("text/csv")), (b'1,"2",', content_type("text/csv"))]
    odd += [(floats, content_type("application/octet-stream")), (b"", content_type("a/b"))]
    for _ in range(n):
        x = rng.normal(size=3).round(6).tolist()
        record = dict(zip(NAMES, x, strict=True)) | {"k": int(rng.integers(9)), "host": "é"}
        yield json.dumps(record, ensure_ascii=bool(rng.integers(2))).encode(), ()
        if rng.random() < 0.5:
            yield odd[rng.integers(len(odd))]


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


@pytest.mark.parametrize("key_field", [None, "k"])
def test_the_fast_way_agrees_with_the_definition(key_field):
    values = [value for value, headers in mixed_stream(seed=2, n=600) if not headers]
    fast = Decoder(RecordConfig(features=NAMES, key_field=key_field))
    slow = Decoder(RecordConfig(features=NAMES, key_field=key_field))
    slow._json = undecided
    a, b = fast.decode(batch_of(values)), slow.decode(batch_of(values))
    assert a.x.tobytes() == b.x.tobytes()
    assert (a.rows.tolist(), a.keys, a.rejects) == (b.rows.tolist(), b.keys, b.rejects)
