"""100,000 values, most of them broken on purpose, between good ones whose features are known."""

import json
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest

from streamae.config import RecordConfig
from streamae.decode import Decoder, Reason
from streamae.decode.readers import undecided
from streamae.types import UNREADABLE
from tests.record_values import batch_of, content_type

N_VALUES = 100_000
FEATURES = ("cpu", "mem", "disk I/O", "température", "x4")
CSV, FLOAT32, JSON = map(content_type, ("text/csv", "application/x-float32", "application/json"))

Rng = np.random.Generator


class Drawn(NamedTuple):
    value: bytes | None
    headers: tuple = ()
    row: tuple[float, ...] | None = None
    """The features of a good record."""


def numbers(rng: Rng) -> tuple[float, ...]:
    """Draw features of every magnitude float32 has, some of them missing, never all."""
    exponents = rng.uniform(-30, 30, len(FEATURES)) * (rng.random() < 0.2)
    row = rng.normal(size=len(FEATURES)) * 10**exponents
    row[1:][rng.random(len(FEATURES) - 1) < 0.1] = math.nan
    return tuple(row.tolist())


def good(rng: Rng) -> Drawn:
    row = numbers(rng)
    cells = [None if math.isnan(number) else number for number in row]
    named = {
        name: cell for name, cell in zip(FEATURES, cells, strict=True) if cell or rng.integers(2)
    }
    layout = rng.integers(7)
    if layout == 0:
        text = ",".join("" if cell is None else repr(cell) for cell in cells)
        return Drawn(text.encode(), CSV, row)
    if layout == 1:
        return Drawn(np.array(row, "<f4").tobytes(), FLOAT32, row)
    if layout == 2:
        return Drawn(json.dumps(cells).encode(), (), row)
    if layout == 3:
        return Drawn(json.dumps({"host": "wéb", "features": named}).encode(), JSON, row)
    if layout == 4:
        return Drawn(json.dumps({"features": list(row), "cpu": 1e9}).encode(), (), row)
    record = {"host": "wéb", **named, "tags": ["a", {"b": []}]} if layout == 5 else named
    return Drawn(json.dumps(record, ensure_ascii=bool(rng.integers(2))).encode(), (), row)


def with_cpu(text: bytes) -> Callable[[Rng], Drawn]:
    """Return a kind whose `cpu` reads `text`, alone or among other features."""

    def draw(rng: Rng) -> Drawn:
        return Drawn(b'{"mem":%d,"cpu":%s}' % (rng.integers(9), text))

    return draw


def truncated(rng: Rng) -> Drawn:
    value = b'{"cpu":1.5,"host":"x","nested":{"a":[1,2]},"mem":2}'
    return Drawn(value[: rng.integers(len(value))])


def deeply_nested(rng: Rng) -> Drawn:
    bracket = [b"[", b'{"cpu":', b'{"features":'][rng.integers(3)]
    return Drawn(bracket * int(rng.choice([101, 950, 100_000], p=[0.6, 0.3, 0.1])))


def wrong_length(rng: Rng) -> Drawn:
    n = int(rng.choice([0, 1, 4, 6, 1000]))
    if rng.integers(2):
        return Drawn(json.dumps([1.0] * n).encode())
    return Drawn(b"\0" * (4 * n + int(rng.integers(4))), FLOAT32)


def noise(rng: Rng) -> Drawn:
    value = b"\xff" + rng.bytes(rng.integers(40))
    return Drawn(value, [(), CSV, JSON][rng.integers(3)])


BAD: tuple[Callable[[Rng], Drawn], ...] = (
    truncated,
    wrong_length,
    noise,
    *map(with_cpu, (b'"1"', b"true", b"{}", b"[1]", b"1e999", b"-1e400", b"3.5e38", b"Infinity")),
    *map(with_cpu, (b"-Infinity", b"9" * 400, b"01", b"+1", b".5", b"1.", b"nan", b"0x1", b"1 2")),
    *map(with_cpu, (b'"\xff"', b'1,"\xc3":2', b'1,"x":"\\q"', b'1,"x":"\n"', b'2,"cpu":"x"', b"")),
    lambda _: Drawn(None),
    lambda _: Drawn(b""),
    lambda _: Drawn(b"null"),
    lambda _: Drawn(b"{}"),
    lambda _: Drawn(b'{"cpu":null,"mem":NaN}'),
    lambda _: Drawn(b'{"unknown":1}'),
    lambda _: Drawn(b'{"features":{"unknown":1},"cpu":1}'),
    lambda _: Drawn(b'\xef\xbb\xbf{"cpu":1}'),
    lambda _: Drawn(b'{"cpu":1}\n{"cpu":2}'),
    lambda _: Drawn(b'{"cpu":1}\0'),
    lambda _: Drawn(b'{"cpu":1,"x":"' + b"x" * 70_000 + b'"}'),
    lambda _: Drawn(b"[1,2,3,4,5]", content_type("application/x-unknown")),
    lambda _: Drawn(b"[1,2,3,4,5]", UNREADABLE),
    lambda _: Drawn(b'1,2,3,4,"5', CSV),
    lambda _: Drawn(b"1,2,3,4,inf", CSV),
    lambda _: Drawn(b"1,2,3,4,five", CSV),
)


def mutated(rng: Rng) -> Drawn:
    """Change some bytes of a good record: what comes out may be either."""
    drawn = good(rng)
    value = bytearray(drawn.value or b"")
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(value)))
        value[place : place + int(rng.integers(3))] = rng.bytes(int(rng.integers(3)))
    return Drawn(bytes(value), drawn.headers)


def stream(seed: int, n: int) -> Iterator[Drawn]:
    rng = np.random.default_rng(seed)
    for _ in range(n):
        kind = rng.random()
        if kind < 0.4:
            yield good(rng)
        elif kind < 0.402:
            yield deeply_nested(rng)
        elif kind < 0.8:
            yield BAD[rng.integers(len(BAD))](rng)
        else:
            yield mutated(rng)


def decode(drawn, decoder, seed):
    """Decode in batches of random sizes; return the rows by index and the rejects by index."""
    rng = np.random.default_rng(seed)
    rows, rejects, start = {}, {}, 0
    while start < len(drawn):
        part = drawn[start : start + int(rng.integers(1, 2000))]
        batch = batch_of([one.value for one in part], [one.headers for one in part])
        decoded = decoder.decode(batch)
        for row, x in zip(decoded.rows.tolist(), decoded.x, strict=True):
            rows[start + row] = x.tobytes()
        rejects |= {start + one.index: (one.reason, one.detail) for one in decoded.rejects}
        start += len(part)
    return rows, rejects


@pytest.mark.slow
def test_fuzz():
    drawn = list(stream(seed=20, n=N_VALUES))
    config = RecordConfig(features=FEATURES, max_bytes=65_536)
    rows, rejects = decode(drawn, Decoder(config), seed=1)

    assert sorted([*rows, *rejects]) == list(range(N_VALUES))
    assert {reason for reason, _ in rejects.values()} == (
        set(Reason) - {Reason.BAD_KEY, Reason.BAD_TIMESTAMP, Reason.TOO_MANY_FEATURES}
    )
    for _, detail in rejects.values():
        assert 0 < len(detail) <= 200
        assert detail.encode()
    is_good = [one.row is not None for one in drawn]
    for index, one in enumerate(drawn):
        if one.row is not None:
            assert rows[index] == np.array(one.row, np.float32).tobytes()

    alone = [one for one, keep in zip(drawn, is_good, strict=True) if keep]
    rows_alone, rejects_alone = decode(alone, Decoder(config), seed=2)
    assert not rejects_alone
    assert list(rows_alone.values()) == [rows[i] for i, keep in enumerate(is_good) if keep]


def test_bad_records_are_bad():
    rng = np.random.default_rng(21)
    drawn = [kind(rng) for kind in (*BAD, deeply_nested) for _ in range(50)]
    rows, rejects = decode(
        drawn, Decoder(RecordConfig(features=FEATURES, max_bytes=65_536)), seed=3
    )
    assert not rows
    assert len(rejects) == len(drawn)


def test_fast_readers_agree_with_the_definition_on_the_fuzz():
    drawn = [one for one in stream(seed=22, n=N_VALUES // 8) if one.headers != CSV]
    config = RecordConfig(features=FEATURES)
    fast, slow = Decoder(config), Decoder(config)
    slow._json = undecided
    assert decode(drawn, fast, seed=4) == decode(drawn, slow, seed=5)


@pytest.mark.parametrize("seed", range(20))
def test_auto_freezes_the_same_whatever_came_before(seed):
    drawn = list(stream(seed=100 + seed, n=2000))
    outcomes = []
    for batching in (1, 2):
        decoder = Decoder(RecordConfig(max_bytes=65_536))
        outcomes.append((decode(drawn, decoder, batching), decoder.features))
    assert outcomes[0] == outcomes[1]
