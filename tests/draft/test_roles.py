"""What fields are for, told by a sample of their values."""

import json
import sys

from streamae.config import RecordConfig
from streamae.draft.roles import in_words, roles
from streamae.local import MemoryLog
from tests.streams import PARTITION


def test_times_are_no_features_by_their_name_or_beside_the_records_own() -> None:
    times_ms = [1_763_800_000_000 + 1000 * row for row in range(50)]
    rows = [
        {"at": at - 7, "made_at": at // 1000 - 90_000, "seen": at * 1000 + 3, "sent": at // 999}
        for at in times_ms
    ]
    log = MemoryLog([json.dumps(row).encode() for row in rows], timestamps_ms=times_ms)
    found = roles([log.read(PARTITION, 0, len(rows))], RecordConfig())
    assert found.record.timestamp_field == "at"
    assert found.record.features == ("sent",)
    assert [f"{field.name}: {in_words(field)}" for field in found.left_out] == [
        "made_at: a time",
        "seen: a time",
    ]


def test_work_grows_with_the_number_of_fields_and_not_with_its_square() -> None:
    assert n_calls(2000) < 3 * n_calls(1000)


def n_calls(n_fields: int) -> int:
    """Return how many functions finding the roles of so many fields calls."""
    value = json.dumps({f"f{number}": 0.5 for number in range(n_fields)}).encode()
    batch = MemoryLog([value]).read(PARTITION, 0, 1)
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        roles([batch], RecordConfig())
    finally:
        sys.setprofile(None)
    return calls
