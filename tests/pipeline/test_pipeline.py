import json
from collections import Counter

import msgspec
import numpy as np
import pytest

from streamae import snapshot
from streamae.config import AlertingConfig, Config, DeadLetterConfig, Duration
from streamae.errors import ConfigError
from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from streamae.records import Alert
from streamae.types import Output
from tests.streams import ONE_BY_ONE, PARTITION, config, keys, run, timestamps, values

N = 1500


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return MemoryLog(values(N, bad_share=0.02), keys(N), timestamps(N))


def channel(outputs: list[Output], name: str) -> list[Output]:
    return [output for output in outputs if output.channel == name]


@pytest.mark.parametrize("scores_per", ["record", "block"])
@pytest.mark.parametrize("budget", [0.01, "1000 per day"])
@pytest.mark.parametrize("size", [ONE_BY_ONE, 7, 256])
def test_outputs_and_state_do_not_depend_on_batching(
    log: MemoryLog, size: int, budget: float | str, scores_per: str
) -> None:
    settings = config(budget, scores_per=scores_per)
    whole, pieces = (Pipeline(settings, PARTITION, 0) for _ in range(2))
    expected, found = run(whole, log, N), run(pieces, log, size)
    for name in ("scores", "alerts", "dead_letters"):
        assert channel(found, name) == channel(expected, name)
    assert channel(expected, "alerts")
    assert channel(expected, "dead_letters")
    assert pieces.snapshot() == whole.snapshot()


def selective() -> Config:
    """Return a configuration with every condition on what raises an alert."""
    alerting = AlertingConfig(
        budget=0.1,
        quiet_records=40,
        min_deviation=1.0,
        up_only=("a", "b"),
        down_only=("c",),
        cooldown=Duration(50),
        cooldown_records=120,
    )
    return msgspec.structs.replace(config(), alerting=alerting)


@pytest.mark.parametrize("settings", [config(), selective()], ids=["default", "selective"])
@pytest.mark.parametrize("stop", [1, 63, 64, 65, 700, 1000])
def test_restored_pipeline_continues_as_if_nothing_had_happened(
    log: MemoryLog, stop: int, settings: Config
) -> None:
    undisturbed = Pipeline(settings, PARTITION, 0)
    expected = run(undisturbed, log, 256)
    first = Pipeline(settings, PARTITION, 0)
    before = run(first, log, 100, end=stop)
    second = Pipeline.restored(settings, PARTITION, first.snapshot())
    run(second, log, 50, end=stop)
    after = run(second, log, 33)
    for name in ("scores", "alerts", "dead_letters"):
        assert channel(before + after, name) == channel(expected, name)
    assert second.snapshot() == undisturbed.snapshot()


def test_what_raises_no_alert_does_not_depend_on_batching(log: MemoryLog) -> None:
    whole = Pipeline(selective(), PARTITION, 0).process(log.read(PARTITION, 0, N))
    suppressed: Counter[str] = Counter()
    pieces, alerts = Pipeline(selective(), PARTITION, 0), []
    while pieces.position < N:
        done = pieces.process(log.read(PARTITION, pieces.position, 13))
        suppressed.update(done.suppressed)
        alerts += done.alerts
    assert alerts == whole.alerts
    assert suppressed == whole.suppressed
    assert suppressed.keys() == {"open_episode", "cooldown", "direction", "min_deviation"}
    raised = [alert for alert in alerts if isinstance(alert, Alert)]
    assert whole.n_flagged == len(raised) + suppressed.total()
    for alert in raised:
        blamed = alert.attribution[0]
        assert abs(blamed.deviation) >= 1.0
        assert blamed.feature not in ("a", "b") or blamed.deviation > 0
        assert blamed.feature != "c" or blamed.deviation < 0


def test_rejects_do_not_change_the_scores_of_the_others() -> None:
    good = values(600)
    rng = np.random.default_rng(3)
    mixed: list[bytes | None] = []
    for value in good:
        mixed += [b"{broken"] * int(rng.integers(3))
        mixed.append(value)
    settings = config()
    scores = []
    for records in (good, mixed):
        log = MemoryLog(records, keys(len(records), 1), timestamps(len(records)))
        outputs = run(Pipeline(settings, PARTITION, 0), log, 97, end=len(records))
        scores.append([msgspec.json.decode(o.value)["score"] for o in channel(outputs, "scores")])
    assert scores[0] == scores[1]


def test_rejects_beyond_the_limit_end_the_batch_behind_the_last_dead_letter() -> None:
    settings = replace_limit(max_consecutive=3)
    log = MemoryLog([*values(10), *[b"?"] * 10, *values(10)])
    pipeline = Pipeline(settings, PARTITION, 0)
    done = pipeline.process(log.read(PARTITION, 0, 30))
    assert done.stop is not None
    assert "max_consecutive" in done.stop
    assert pipeline.position == 13
    assert len(channel(done.outputs, "dead_letters")) == 3
    assert pipeline.process(log.read(PARTITION, 13, 1)).stop is not None


def test_a_first_record_with_more_columns_than_memory_takes_ends_the_work() -> None:
    used = config()
    used = msgspec.structs.replace(used, detector=msgspec.structs.replace(used.detector, lag=64))
    wide = MemoryLog([json.dumps([0.5] * 253).encode()])
    with pytest.raises(ConfigError, match=r"record\.features: 253 features and .* 16,445 columns"):
        run(Pipeline(used, PARTITION, 0), wide, 1)


def test_snapshot_of_another_configuration_is_refused(log: MemoryLog) -> None:
    first = Pipeline(config(), PARTITION, 0)
    run(first, log, 256)
    with pytest.raises(snapshot.SnapshotError, match=r"detector\.block_size is 32 and was 64"):
        Pipeline.restored(config(block_size=32), PARTITION, first.snapshot())


def test_alert_names_what_deviates(log: MemoryLog) -> None:
    outputs = run(Pipeline(config(), PARTITION, 0), log, 256)
    alerts = [msgspec.json.decode(o.value) for o in channel(outputs, "alerts")]
    opened = [alert for alert in alerts if alert["type"] == "anomaly"]
    ended = {alert["episode_id"] for alert in alerts if alert["type"] == "recovered"}
    assert ended
    assert ended <= {alert["episode_id"] for alert in opened}
    for alert in opened:
        assert alert["p_value"] <= 0.01
        assert alert["score"] >= alert["threshold"]
        shares = [part["share"] for part in alert["attribution"]]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1.00001
        if (cure := alert["counterfactual"]) is not None:
            named = [part["feature"] for part in alert["attribution"]]
            assert cure["features"] == named[: len(cure["features"])]
            assert cure["score"] < alert["threshold"]
    assert any(alert["counterfactual"] for alert in opened)


def test_dead_letter_keeps_the_record_and_says_where_and_why() -> None:
    log = MemoryLog([b"{\xff"], [b"key"], [5])
    done = Pipeline(config(), PARTITION, 0).process(log.read(PARTITION, 0, 1))
    (letter,) = done.outputs
    headers = dict(letter.headers)
    assert (letter.key, letter.value, letter.timestamp_ms) == (b"key", b"{\xff", 5)
    assert headers["__streamae.errors.topic"] == b"vectors"
    assert headers["__streamae.errors.offset"] == b"0"
    assert headers["__streamae.errors.reason"]
    assert sum(done.rejects.values()) == 1


def test_skipping_empties_the_block_and_keeps_the_model(log: MemoryLog) -> None:
    pipeline = Pipeline(config(), PARTITION, 0)
    run(pipeline, log, 100, end=1000)
    ordinal = pipeline.boundary.ordinal
    pipeline.skip_to(1200)
    assert (pipeline.position, pipeline.boundary.offset) == (1200, 1200)
    assert pipeline.boundary.ordinal == ordinal
    assert channel(run(pipeline, log, 100), "scores")


def replace_limit(max_consecutive: int) -> Config:
    limit = DeadLetterConfig(max_consecutive=max_consecutive)
    return msgspec.structs.replace(config(), dead_letters=limit)


def test_forgotten_keys_are_counted(log: MemoryLog) -> None:
    settings = config()
    detector = msgspec.structs.replace(settings.detector, lag=1, max_keys=3)
    pipeline = Pipeline(msgspec.structs.replace(settings, detector=detector), PARTITION, 0)
    done = pipeline.process(log.read(PARTITION, 0, N))
    assert pipeline.online is not None
    assert pipeline.online.block.transforms.n_keys == 3
    # Of five keys in turn two make way at each boundary.
    assert done.n_keys_forgotten == 2 * len(done.learned)
