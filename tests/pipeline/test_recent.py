import numpy as np
import pytest

from streamae.pipeline.recent import Recent, Rows, Target, key_digest, text_digest


def rows(first: int, n: int) -> Rows:
    """Return records whose offset, event time and values are the same number; keys alternate."""
    at = np.arange(first, first + n)
    keys = np.array([key_digest(b"even" if one % 2 == 0 else b"odd") for one in at], np.int64)
    return Rows(at[:, None].astype(np.float32), at, at * 10, keys, at / 10, at / 100)


def by_offset(offset: int) -> Target:
    return Target(offset, 0, 0, anomaly=True)


def test_the_last_records_are_found_by_position() -> None:
    recent = Recent(10)
    for first in range(0, 21, 7):
        recent.append(rows(first, 7))
    assert recent.find(by_offset(10)) is None
    found = recent.find(by_offset(11))
    assert found is not None
    assert [column.tolist() for column in found[:3]] == [[[11.0]], [11], [110]]
    assert found.probability.tolist() == [0.11]


def test_records_are_found_by_key_and_event_time() -> None:
    recent = Recent(10)
    recent.append(rows(0, 10))
    even = text_digest("even")
    found = recent.find(Target(-1, 40, even, anomaly=True))
    assert found is not None
    assert found.offsets.tolist() == [4]
    assert recent.find(Target(-1, 50, even, anomaly=True)) is None
    assert recent.find(Target(-1, 40, text_digest(None), anomaly=True)) is None


def test_of_two_with_one_name_the_later_is_found() -> None:
    recent = Recent(10)
    twins = rows(0, 6)
    recent.append(twins._replace(timestamps_ms=np.zeros(6, np.int64)))
    found = recent.find(Target(-1, 0, text_digest("even"), anomaly=True))
    assert found is not None
    assert found.offsets.tolist() == [4]


def test_more_than_it_holds_leaves_the_last() -> None:
    recent = Recent(4)
    recent.append(rows(0, 11))
    assert recent.state_dict()["offsets"].tolist() == [7, 8, 9, 10]


@pytest.mark.parametrize("n", [3, 10, 14])
def test_state_does_not_depend_on_how_it_came_about(n: int) -> None:
    pieces, whole, restored = Recent(10), Recent(10), Recent(10)
    for first in range(n):
        pieces.append(rows(first, 1))
    whole.append(rows(0, n))
    restored.load_state_dict(whole.state_dict())
    for other in (pieces, restored):
        for name, column in whole.state_dict().items():
            np.testing.assert_array_equal(other.state_dict()[name], column)


def test_keys_are_those_of_scores_and_alerts() -> None:
    assert key_digest(b"host-3") == text_digest("host-3")
    assert key_digest(b"\xff") == text_digest("\\xff")
    assert key_digest(None) == text_digest(None) == 0
    assert len({key_digest(bytes([a, b])) for a in range(64) for b in range(64)}) == 4096
