from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from streamae.config import AlertingConfig, Duration
from streamae.episodes import Episode, Episodes, Flagged, Times
from streamae.types import NO_TIMESTAMP, Longs

END = 2_000
SECONDS = 1_700_000_000_000 + 1000 * np.arange(END, dtype=np.int64)


def episodes(**keys: Any) -> Episodes:
    return Episodes(AlertingConfig(**{"quiet_records": 5, **keys}))


def flagged(ordinal: int, timestamp_ms: int, key: bytes = b"a") -> Flagged:
    score, p_value, threshold, alpha, budget = 20.0, 0.005, 10.0, 0.01, 0.01
    return Flagged(
        *(
            ordinal,
            ordinal + 100,
            timestamp_ms,
            key,
            (),
            score,
            p_value,
            threshold,
            alpha,
            budget,
            1,
        )
    )


def played(
    machine: Episodes, records: Sequence[Flagged], timestamps_ms: Longs, cuts: Sequence[int]
) -> list[tuple[int, str, bytes | None, int]]:
    """Return what opened and ended, each batch ending before one of the ordinals `cuts`."""
    events: list[tuple[int, str, bytes | None, int]] = []

    def end(before: int) -> None:
        over: list[tuple[bytes | None, Episode]] = machine.end(before)
        events.extend((e.first_ordinal, "ended", key, e.n_suppressed) for key, e in over)

    start = 0
    for stop in cuts:
        times = Times(stop - 1, timestamps_ms[start:stop])
        machine.cool(times)
        for record in records:
            if start <= record.ordinal < stop:
                end(record.ordinal)
                if machine.extend(record, "warning") is None:
                    machine.open("id", record, "warning", times)
                    events.append((record.ordinal, "opened", record.key, 0))
        end(stop)
        machine.load_state(msgspec.json.decode(msgspec.json.encode(machine.state())))
        start = stop
    return events


def opened(machine: Episodes, ordinals: Sequence[int], timestamps_ms: Longs = SECONDS) -> list[int]:
    records = [flagged(at, int(timestamps_ms[at])) for at in ordinals]
    events = played(machine, records, timestamps_ms, [END])
    return [ordinal for ordinal, what, *_ in events if what == "opened"]


def test_without_a_cooldown_quiet_records_part_episodes() -> None:
    assert opened(episodes(), [10, 15, 20, 26, 32]) == [10, 26, 32]


def test_a_key_raises_nothing_for_so_many_records() -> None:
    assert opened(episodes(cooldown_records=50), [10, 30, 59, 66, 90]) == [10, 66]


def test_a_key_raises_nothing_for_so_much_event_time() -> None:
    machine = episodes(cooldown=Duration(60))
    assert opened(machine, [10, 30, 69, 90, 151, 170]) == [10, 90, 151]


def test_both_cooldowns_have_to_pass() -> None:
    longer = episodes(cooldown=Duration(60), cooldown_records=200)
    assert opened(longer, [10, 100, 205, 230]) == [10, 230]
    assert opened(episodes(cooldown=Duration(60), cooldown_records=1), [10, 50, 100]) == [10, 100]


def test_event_time_that_runs_backwards_passes_no_cooldown() -> None:
    machine = episodes(cooldown=Duration(60))
    assert opened(machine, [10, 100], np.sort(SECONDS)[::-1].copy()) == [10]


def test_clock_that_was_ahead_silences_its_key_no_longer_than_until_it_is_set_back() -> None:
    wrong = SECONDS.copy()
    wrong[10:12] += 365 * 86_400_000
    ordinals = [10, 11, 100, 102, 130, 170, 195]
    assert opened(episodes(cooldown=Duration(60)), ordinals, wrong) == [10, 130, 195]


def test_without_event_time_there_is_no_cooldown_by_it() -> None:
    unknown = np.full(END, NO_TIMESTAMP, np.int64)
    assert opened(episodes(cooldown=Duration(60)), [10, 100], unknown) == [10, 100]


@pytest.mark.parametrize("seed", range(20))
def test_events_do_not_depend_on_batching_nor_on_a_restart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = {
        "quiet_records": int(rng.integers(1, 40)),
        "cooldown": Duration(int(rng.integers(0, 200))),
        "cooldown_records": int(rng.integers(0, 100)),
    }
    # Out of order, with some of them missing.
    timestamps_ms = SECONDS + rng.integers(-20_000, 20_000, END)
    timestamps_ms[rng.random(END) < 0.1] += 365 * 86_400_000
    timestamps_ms[rng.random(END) < 0.1] = NO_TIMESTAMP
    ordinals = np.flatnonzero(rng.random(END) < 0.05).tolist()
    records = [flagged(at, int(timestamps_ms[at]), b"abcdef"[at % 6 :][:1]) for at in ordinals]
    whole = played(episodes(**keys), records, timestamps_ms, [END])
    cuts = [*np.unique(rng.integers(1, END, 300)).tolist(), END]
    assert played(episodes(**keys), records, timestamps_ms, cuts) == whole
    one_by_one, at_once = episodes(**keys), episodes(**keys)
    assert played(one_by_one, records, timestamps_ms, range(1, END + 1)) == whole
    played(at_once, records, timestamps_ms, [END])
    assert one_by_one.state() == at_once.state()
    assert sum(what == "ended" for _, what, *_ in whole) > 5


def test_a_cooldown_taken_out_of_the_configuration_is_over() -> None:
    before, after = episodes(cooldown=Duration(60)), episodes()
    before.open("id", flagged(10, int(SECONDS[10])), "warning", Times(10, SECONDS[:11]))
    after.load_state(before.state())
    assert len(after.end(END)) == 1
    assert before.end(END) == []
