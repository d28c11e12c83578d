import json
import math
import struct

import numpy as np
import pytest

from streamae.config import RecordConfig
from streamae.decode import Decoder
from streamae.decode.readers import DOUBTS, csv_reader, json_reader, packer, undecided
from tests.record_values import NAMES, NAN, SAME_ROW, batch_of, mixed_stream

KEYED = {"key_field": "k", "timestamp_field": "t"}


def cells_of(row):
    """Return the numbers of a row that a reader packed, None where missing."""
    cells = np.frombuffer(row[0], np.float32).tolist()
    return [None if math.isnan(cell) else cell for cell in cells]


def outcome(decoder, batch):
    decoded = decoder.decode(batch)
    times, rejects = decoded.timestamps_ms.tolist(), decoded.rejects
    return decoded.x.tobytes(), decoded.rows.tolist(), decoded.keys, times, rejects


def test_packer_narrows_as_numpy_does():
    row = np.random.default_rng(4).normal(size=1000) * 10.0 ** np.arange(-50, 50).repeat(10)
    row[::7] = NAN
    with np.errstate(over="ignore"):
        expected = row.astype(np.float32).tobytes()
    packed = packer(len(row))
    assert packed(row.tolist()) == expected
    assert packed([None if math.isnan(cell) else cell for cell in row.tolist()]) == expected
    assert packer(2)([1e39, -1e300]) == struct.pack("2f", math.inf, -math.inf)
    for wrong in ([1.0], [1.0, None, 3.0]):
        with pytest.raises(struct.error):
            packer(2)(wrong)


@pytest.mark.parametrize("key_field", [None, "k"])
def test_json_agrees_with_the_definition(key_field):
    batch = batch_of([value for value, headers in mixed_stream(seed=2, n=600) if not headers])
    decoder = Decoder(RecordConfig(features=NAMES, key_field=key_field))
    fast = outcome(decoder, batch)
    decoder._json = undecided
    assert outcome(decoder, batch) == fast


@pytest.mark.parametrize("config", [{}, KEYED])
def test_csv_agrees_with_the_definition(config, monkeypatch):
    rng = np.random.default_rng(3)
    cells = ["", "1", "-2.5", "1e-3", "1e39", "nan", " 7 ", " ", "x", "1_0", '"4"', "é", "a\nb"]
    often = np.array([0.1, 0.2, 0.2, 0.2] + [0.3 / 9] * 9)
    lines = [",".join(rng.choice(cells, 5 - (i % 10 == 0), p=often)) for i in range(5000)]
    batch = batch_of([line.encode() for line in lines], columns=("a", "host", "c", "k", "t"))
    decoder = Decoder(RecordConfig(features=NAMES, **config))
    fast = outcome(decoder, batch)
    monkeypatch.setattr("streamae.decode.decoder.csv_reader", lambda *_: undecided)
    assert outcome(decoder, batch) == fast
    assert len(fast[1]) > 1000


@pytest.mark.parametrize(
    "value",
    [value for value, config, columns in SAME_ROW[:4] if not config and not columns]
    + [b"[1,-2.5,300]", b'{"features":[1,-2.5,300],"x":[{}]}'],
)
def test_ordinary_json_is_read_fast(value):
    read = json_reader(NAMES, RecordConfig())
    assert cells_of(read(value)) == [1, -2.5, 300]


def test_ordinary_csv_is_read_fast():
    row = csv_reader(NAMES, RecordConfig(), None)(b"1,,3")
    assert (cells_of(row), *row[1:]) == ([1, None, 3], None, None)
    row = csv_reader(NAMES, RecordConfig(**KEYED), ("t", "c", "k", "a"))(b"5,3,web_1,1")
    assert (cells_of(row), *row[1:]) == ([1, None, 3], b"web_1", 5)


def test_keyed_json_is_read_fast():
    read = json_reader(NAMES, RecordConfig(**KEYED))
    for features in (
        b'"a":1,"b":2,"c":3',
        b'"features":{"a":1,"b":2,"c":3}',
        b'"features":[1,2,3]',
    ):
        row = read(b'{"k":"web","t":5,%s}' % features)
        assert (cells_of(row), *row[1:]) == ([1, 2, 3], b"web", 5)


def test_nan_literals_are_read_fast():
    read = json_reader(NAMES, RecordConfig())
    assert cells_of(read(b'{"a":NaN,"b":2,"x":NaN,"c": NaN}')) == [None, 2, None]
    assert cells_of(read(b'{"a":NaN,"b":2,"Na":1,"N":{"NA":"N"},"c":3}')) == [None, 2, 3]
    assert cells_of(read(b"[NaN,2,NaN]")) == [None, 2, None]
    assert cells_of(read(b'{"features":{"a":NaN,"b":2,"c":null}}')) == [None, 2, None]


@pytest.mark.parametrize(
    "value",
    [
        b'{"a":1,"x":"\xff"}',
        b'{"a":NaN,"x":"NaN"}',
        b'{"x":"NaN","a":NaN}',
        b'{"NaN":1,"a":NaN}',
        b'{"a":NaN,"x":"\\""}',
        b'{"a":-NaN}',
        b'{"a":1e999}',
        b'{"a":1,"x":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"a":1,"x":' + b'{"y":' * 200 + b"1" + b"}" * 201,
        b"[1,2]",
        b'{"features":[1,2]}',
    ],
)
def test_json_doubts(value):
    with pytest.raises(DOUBTS):
        json_reader(NAMES, RecordConfig())(value)


def test_names_beyond_msgspec_are_left_to_the_definition():
    for names, config in ((('q"',), {}), (("k", "k"), {}), (("k",), {"key_field": "k"})):
        assert json_reader(names, RecordConfig(**config)) is undecided
    with pytest.raises(DOUBTS):
        undecided(json.dumps({"k": 1}).encode())
