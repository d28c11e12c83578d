"""What the observer makes known of a real worker's run, and of one that goes on after another."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from streamae.decode import Reason
from streamae.local import MemoryLog, MemorySink, MemorySource
from streamae.metrics import Metric, Metrics, Stage, Status
from streamae.observer import Observer
from streamae.types import Commit, Output, Poll
from streamae.watchdog import Watchdog
from streamae.worker import Worker
from tests.streams import FEATURES, PARTITION, config, keys, timestamps, values

N = 900
LABELS = {"topic": PARTITION.topic, "partition": "0"}


class Observed:
    """A worker on `records` in memory, and everything that is told about it."""

    def __init__(
        self,
        records: list[bytes],
        sink: MemorySink,
        poll_size: int = 50,
        times: list[int] | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, [reason.value for reason in Reason])
        self.status = Status(metrics)
        observer = Observer(metrics, self.status, Watchdog(60), now=lambda: 1_700_000_100.0)
        log = MemoryLog(records, keys(len(records)), times or timestamps(len(records)))
        source = MemorySource({PARTITION: log}, poll_size)
        Worker(config(), source, sink, observer, lambda: 0.0).run(threading.Event())

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"streamae_{name}", {**LABELS, **labels})


class OnceRefusing(MemorySink):
    """Refuses the first commit."""

    refused = False

    def commit(self, commit: Commit) -> bool:
        first, self.refused = not self.refused, True
        return not first and super().commit(commit)


def alerts(sink: MemorySink) -> list[Output]:
    written = [output for output in sink.outputs if output.channel == "alerts"]
    return [o for o in written if msgspec.json.decode(o.value or b"")["type"] == "anomaly"]


def most_to_blame(alert: Output) -> str:
    return str(msgspec.json.decode(alert.value or b"")["attribution"][0]["feature"])


def test_event_times_of_the_future_are_not_in_the_watermark() -> None:
    """The first one comes of a clock that is off by decades, the last one of one off by minutes."""
    run = Observed(values(401), MemorySink(), times=[2_000_000_000_000, *timestamps(401)[1:]])
    assert run.sample("watermark_timestamp_seconds") == 1_700_000_400
    waited = run.registry.get_sample_value("streamae_end_to_end_latency_seconds_sum")
    assert waited is not None
    assert waited >= 0


def test_counts_agree_with_what_was_written() -> None:
    sink = MemorySink()
    records = [*values(N, bad_share=0.01), b'{"a": 1e999, "b": 0, "c": 0, "d": 0, "e": 0, "f": 0}']
    run = Observed(records, sink)
    n_missing = sum(record.count(b"null") for record in records if record.endswith(b"}"))
    assert run.sample("values_missing_total") == n_missing > 0
    assert run.sample("nonfinite_total", where="input") == 1
    assert run.sample("nonfinite_total", where="score") == 0
    assert run.sample("nonfinite_total", where="loss") == 0
    raised = len(alerts(sink))
    reasons = ("open_episode", "cooldown", "min_deviation", "direction")
    suppressed = [run.sample("alerts_suppressed_total", reason=reason) for reason in reasons]
    assert suppressed[1:] == [0, 0, 0]
    assert run.sample("records_flagged_total") == raised + suppressed[0]
    blamed = Counter(most_to_blame(output) for output in alerts(sink))
    for feature in (*FEATURES, "other"):
        assert run.sample("alerts_by_feature_total", feature=feature) == blamed[feature]
    recovered = [one for one in sink.outputs if one.channel == "alerts"]
    assert run.sample("episodes_open") == raised - (len(recovered) - raised)
    assert raised > 0


def test_rejects_are_said_at_the_first_and_at_every_power_of_ten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = values(120)
    bad = [b"{" if at % 10 else b'{"a": "text"}' for at in range(120)]
    records = [record for pair in zip(good, bad, strict=True) for record in pair]
    with caplog.at_level("WARNING", "streamae.observer"):
        Observed(records, MemorySink())
    said = [record.streamae_fields for record in caplog.records]  # type: ignore[attr-defined]  # Ours.
    totals = {
        reason: [line["total"] for line in said if line["reason"] == reason]
        for reason in ("invalid_json", "wrong_type")
    }
    assert [total >= 10 for total in totals["wrong_type"]] == [False, True]
    assert [total >= 100 for total in totals["invalid_json"]] == [False, True]
    assert said[0] | {"offset": 1, "message": "'a' holds text"} == said[0]
    assert len(said) == 4


class Slow(Metrics):
    """Takes 40 seconds for a block and notes what the watchdog thinks of it."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        self.now = 0.0
        self.watchdog = Watchdog(60, lambda: self.now)
        self.thoughts: list[str | None] = []

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        yield
        if stage == "train":
            self.now += 40
            self.thoughts.append(self.watchdog.hang())


def test_a_poll_of_many_slow_blocks_is_no_hang() -> None:
    slow, turns = Slow(), Counter[str]()
    observer = Observer(slow, Status(slow), slow.watchdog, lambda: 0.0, lambda: turns.update("t"))
    source = MemorySource({PARTITION: MemoryLog(values(N))}, 500)
    Worker(config(), source, MemorySink(), observer, lambda: 0.0).run(threading.Event())
    assert slow.thoughts == [None] * (N // 64)
    assert turns["t"] > len(slow.thoughts)


def test_offsets_that_were_deleted_unread_are_counted() -> None:
    metrics = Metrics(CollectorRegistry())
    observer = Observer(metrics, Status(metrics), Watchdog(60), now=lambda: 0.0)
    observer.polled(Poll(deleted={PARTITION: 7}), 0.0)
    assert metrics.value(Metric.OFFSETS_LOST, PARTITION) == 7


def test_the_features_are_said_once_and_shortened(caplog: pytest.LogCaptureFixture) -> None:
    wide = json.dumps({f"f{at}": at for at in range(25)}).encode()
    for records, fields in (
        (values(100), {"names": tuple("abcdef")}),
        ([wide] * 100, {"names": tuple(f"f{at}" for at in range(20)), "more": 5}),
    ):
        caplog.clear()
        with caplog.at_level("INFO", "streamae.observer"):
            Observed(records, MemorySink())
        (said,) = [record for record in caplog.records if record.getMessage() == "features"]
        assert said.streamae_fields == {"partition": str(PARTITION), **fields}  # type: ignore[attr-defined]  # Ours.


@pytest.mark.parametrize("poll_size", [50, N])
def test_the_end_of_the_warm_up_is_told_where_it_was(
    caplog: pytest.LogCaptureFixture, poll_size: int
) -> None:
    sink = MemorySink()
    with caplog.at_level("INFO", "streamae.observer"):
        Observed(values(N), sink, poll_size)
    (said,) = [one for one in caplog.records if one.getMessage().startswith("warm-up is over")]
    first = next(msgspec.json.decode(one.value or b"") for one in alerts(sink))
    assert said.streamae_fields["ordinal"] == 320 <= first["model"]["ordinal"]  # type: ignore[attr-defined]  # Ours.


def test_a_restarted_detector_shows_what_it_knows_at_once() -> None:
    sink = MemorySink()
    before = Observed(values(N), sink)
    after = Observed(values(N), sink)
    assert after.sample("records_consumed_total") == 0
    assert after.sample("warmup_progress_ratio") == 1
    for name in ("threshold", "alert_p_value", "alert_rate_target"):
        assert after.sample(name) == before.sample(name)
        assert after.sample(name) is not None
    assert after.status.document()["warmup"] == 1


def test_status_says_what_auto_decided_also_after_a_restart() -> None:
    total = 0.0
    records = []
    for at, value in enumerate(values(N)):
        total += at % 7
        at_us = timestamps(N)[at] * 1000 + 7
        records.append(value[:-1] + f', "sent": {total}, "at_us": {at_us}}}'.encode())
    sink = MemorySink()
    for run in (Observed(records, sink), Observed(records, sink)):
        decisions = run.status.document()["partitions"][0]["transforms"]
        assert decisions == {
            "times": ["at_us"],
            "decided": True,
            "diff": ["sent"],
            "heavy_tails": [],
            "calendar": None,
            "lag": 0,
        }
    assert (
        Observed(records[:10], MemorySink()).status.document()["partitions"][0]["transforms"]
        is None
    )


def test_a_new_detector_shows_that_it_knows_nothing() -> None:
    run = Observed(values(10), MemorySink())
    assert run.sample("warmup_progress_ratio") == 0
    assert run.sample("threshold") is None


def test_a_refused_snapshot_is_a_failure_and_then_a_success() -> None:
    run = Observed(values(10), OnceRefusing())
    assert run.sample("checkpoint_failures_total") == 1
    assert run.sample("checkpoints_total") == 1


def test_the_codes_of_the_last_records_are_shown() -> None:
    run = Observed(values(N), MemorySink())
    plane = (run.status.chart(str(PARTITION)) or {})["code_plane"]
    assert len(plane["points"]) >= 10
    assert 0 < plane["variance"] <= 1
