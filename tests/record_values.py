"""Record values, good and bad, that the tests of parsing, reading and decoding share."""

import json
import math
import struct
from collections.abc import Iterator, Sequence

import numpy as np

from streamae.decode import Reason
from streamae.types import Headers, RecordBatch, TopicPartition

NAMES = ("a", "b", "c")
NAN = math.nan


def batch_of(
    values: Sequence[bytes | None],
    headers: Sequence[Headers] | None = None,
    columns: tuple[str, ...] | None = None,
) -> RecordBatch:
    """Return the values as a poll of one partition."""
    n = len(values)
    return RecordBatch(
        partition=TopicPartition("input", 0),
        offsets=np.arange(n, dtype=np.int64),
        timestamps_ms=np.arange(n, dtype=np.int64) + 1000,
        keys=[b"own"] * n,
        values=values,
        headers=headers or [()] * n,
        next_offset=n,
        columns=columns,
    )


def content_type(name: str) -> Headers:
    return (("Content-Type", name.encode()),)


SAME_ROW = [  # 1, -2.5, 300
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
]

ONLY_B = [  # missing, 2, missing
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
]

ODD_BUT_VALID = [  # and what `a` is
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
]

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

CSV_REJECTS = [
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
]

KEYED = [
    (b'{"a":1,"k":"web-1"}', b"web-1"),
    (b'{"a":1,"k":""}', b""),
    (b'{"a":1,"k":7}', b"7"),
    (b'{"a":1,"k":1.5}', b"1.5"),
    (b'{"a":1,"k":123456789012345678901234567890}', b"123456789012345678901234567890"),
    (b'{"a":1,"b":NaN,"k":"NaN"}', b"NaN"),
    (b'{"a":NaN,"b":1,"k":"web"}', b"web"),
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

TIMESTAMPS = [
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
]


def mixed_stream(seed: int, n: int) -> Iterator[tuple[bytes | None, Headers]]:
    """Draw n good records of `NAMES` with a key `k`, and between them records of every kind."""
    rng = np.random.default_rng(seed)
    floats = struct.pack("<3f", 1, math.inf, 3)
    odd: list[tuple[bytes | None, Headers]] = [
        (value, ()) for value, _ in (*JSON_REJECTS, *ODD_BUT_VALID, *KEYED)
    ]
    odd += [(b"1,2,3", content_type("text/csv")), (b'1,"2",', content_type("text/csv"))]
    odd += [(floats, content_type("application/octet-stream")), (b"", content_type("a/b"))]
    for _ in range(n):
        x = rng.normal(size=3).round(6).tolist()
        record = dict(zip(NAMES, x, strict=True)) | {"k": int(rng.integers(9)), "host": "é"}
        yield json.dumps(record, ensure_ascii=bool(rng.integers(2))).encode(), ()
        if rng.random() < 0.5:
            yield odd[rng.integers(len(odd))]
