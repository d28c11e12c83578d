import pytest

from streamae.errors import SnapshotError
from streamae.kafka.positions import after_refusal, position
from streamae.types import Edges, TopicPartition

LOG = Edges(first=10, end=20)
ONE = TopicPartition("sensors", 3)


@pytest.mark.parametrize(
    ("wanted", "fallback", "taken"),
    [
        (10, None, 10),
        (15, None, 15),
        (15, 12, 15),
        (20, None, 20),
        (25, None, 25),
        (9, None, 10),
        (9, 15, 15),
        (9, 9, 10),
        (9, 10, 10),
    ],
)
@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_a_wanted_offset_or_what_is_left_behind_it(
    start: str, wanted: int, fallback: int | None, taken: int
) -> None:
    assert position(LOG, start, wanted, fallback) == taken


@pytest.mark.parametrize(("start", "taken"), [("earliest", 10), ("latest", 20)])
@pytest.mark.parametrize("fallback", [None, 15])
def test_no_wanted_offset_is_a_start(start: str, fallback: int | None, taken: int) -> None:
    assert position(LOG, start, None, fallback) == taken


@pytest.mark.parametrize("refused", [0, 9])
def test_reading_goes_on_behind_what_retention_deleted(refused: int) -> None:
    assert after_refusal(ONE, LOG, refused) == 10


@pytest.mark.parametrize("refused", [10, 15, 20, 21])
def test_a_log_made_anew_is_an_error(refused: int) -> None:
    with pytest.raises(
        SnapshotError, match=f"sensors-3 ends at offset 20, before offset {refused} "
    ):
        after_refusal(ONE, LOG, refused)
