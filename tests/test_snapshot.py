import json

import numpy as np
import pytest
from safetensors.numpy import save

from streamae.config import Config, DetectorConfig, RecordConfig
from streamae.errors import SnapshotError
from streamae.snapshot import Header, _checksum, check_fits, decode, encode, model_keys, slot

ARRAYS = {
    "scalar": np.array(3.5),
    "weights": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "empty": np.empty((0, 2)),
}


def header(**keys: object) -> Header:
    defaults = {
        "partition": "in-0",
        "offset": 512,
        "ordinal": 512,
        "features": ("a", "b"),
        "model": model_keys(Config()),
        "state": {"episodes": [["a2V5", [1, 2.5]]]},
    }
    return Header(**{**defaults, **keys})  # type: ignore[arg-type]


def test_round_trip_keeps_everything() -> None:
    found, arrays = decode(encode(header(), ARRAYS))
    assert (found.offset, found.ordinal, found.features) == (512, 512, ("a", "b"))
    assert found.state == {"episodes": [["a2V5", [1, 2.5]]]}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape


def test_equal_states_give_equal_bytes() -> None:
    assert encode(header(), ARRAYS) == encode(header(), dict(reversed(ARRAYS.items())))


def test_keys_of_other_versions_are_no_damage() -> None:
    """A later version has keys an earlier one did not write, and the other way round."""
    blob = encode(header(), ARRAYS)
    length = int.from_bytes(blob[:8], "little")
    outer = json.loads(blob[8 : 8 + length])
    raw = json.loads(outer["__metadata__"]["streamae"])
    contiguous = {name: np.asarray(array, order="C") for name, array in ARRAYS.items()}
    del raw["skipped_from"]
    raw["later"] = 1
    raw["checksum"] = _checksum(raw, ARRAYS)
    found, _ = decode(save(contiguous, metadata={"streamae": json.dumps(raw)}))
    assert found == header(checksum=raw["checksum"])
    raw["offset"] += 1
    with pytest.raises(SnapshotError, match="checksum"):
        decode(save(contiguous, metadata={"streamae": json.dumps(raw)}))


def test_a_key_the_snapshot_does_not_know_is_its_default() -> None:
    known = model_keys(Config())
    del known["detector.lag"]
    check_fits(header(model=known), Config())
    with pytest.raises(SnapshotError, match=r"detector\.lag is 2 and was 0"):
        check_fits(header(model=known), Config(detector=DetectorConfig(lag=2)))


def test_every_flipped_bit_is_found() -> None:
    blob = encode(header(), ARRAYS)
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(blob), 300).tolist():
        damaged = bytearray(blob)
        damaged[at] ^= 1 << int(rng.integers(8))
        try:
            found, arrays = decode(bytes(damaged))
        except SnapshotError:
            continue
        # A flip may fall into white space that means nothing.
        assert found.offset == 512
        assert all(np.array_equal(arrays[name], ARRAYS[name]) for name in ARRAYS)


@pytest.mark.parametrize("blob", [b"", b"\x00" * 8, b"{}", b"\xff" * 100])
def test_anything_else_is_refused(blob: bytes) -> None:
    with pytest.raises(SnapshotError, match="damaged"):
        decode(blob)


@pytest.mark.parametrize("length", [10, 100, -1])
def test_cut_snapshot_is_refused(length: int) -> None:
    with pytest.raises(SnapshotError, match="damaged"):
        decode(encode(header(), ARRAYS)[:length])


def test_newer_format_is_refused_with_what_to_do() -> None:
    with pytest.raises(SnapshotError, match=r"format 99.*use the version that wrote it"):
        decode(encode(header(format=99), ARRAYS))


def test_differences_are_named() -> None:
    check_fits(header(), Config())
    with pytest.raises(SnapshotError, match=r"detector\.seed is 1 and was 0"):
        check_fits(header(), Config(detector=DetectorConfig(seed=1)))
    with pytest.raises(SnapshotError, match=r"new \['c'\] and no longer \['b'\]"):
        check_fits(header(), Config(record=RecordConfig(features=("a", "c"))))
    with pytest.raises(SnapshotError, match="another order"):
        check_fits(header(), Config(record=RecordConfig(features=("b", "a"))))


def test_device_and_threads_may_change() -> None:
    check_fits(header(), Config(detector=DetectorConfig(device="cpu", threads=2)))


def test_snapshot_without_features_fits_any() -> None:
    check_fits(header(features=None), Config(record=RecordConfig(features=("x",))))


@pytest.mark.parametrize("keep", [2, 3, 5])
def test_slots_thin_out_the_past(keep: int) -> None:
    newest: dict[int, int] = {}
    for number in range(200):
        taken = slot(number, keep)
        assert 0 <= taken < keep
        assert newest.get(taken) != number - 1 or number == 0
        newest[taken] = number
        if number >= 1 << (keep - 1):
            ages = sorted(number - kept for kept in newest.values())
            assert len(ages) == keep
            assert ages[:2] == [0, 1]
            assert 1 << (keep - 2) <= ages[-1] < 1 << (keep - 1)
