"""Labels and the pipeline: what is matched, when it counts, and that the two logs say it all."""

import json
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest

from streamae.config import LabelsConfig
from streamae.config.models import ModelName
from streamae.local import MemoryLabels, MemoryLog
from streamae.numerics.ranking import roc_auc
from streamae.pipeline import Pipeline, Processed
from streamae.types import LabelLog
from tests.labels import label, label_of_key, labels, replayed
from tests.streams import ONE_BY_ONE, PARTITION, config, keys, labelled_vectors, timestamps, values

N = 3000
BLOCK = 64


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return MemoryLog(values(N), keys(N), timestamps(N))


def pipeline(taken_from: LabelLog, memory: int = 512, **output: object) -> Pipeline:
    settings = msgspec.structs.replace(config(**output), labels=LabelsConfig(memory=memory))
    return Pipeline(settings, PARTITION, 0, labels=taken_from)


def run(one: Pipeline, log: MemoryLog, size: int = 256, end: int = N) -> Processed:
    whole = Processed()
    while one.position < end:
        done = one.process(log.read(PARTITION, one.position, min(size, end - one.position)))
        whole.outputs += done.outputs
        whole.labelled += done.labelled
    return whole


def messages(done: Processed, channel: str) -> list[dict[str, Any]]:
    return [json.loads(one.value or b"") for one in done.outputs if one.channel == channel]


def outcomes(done: Processed) -> Counter[str]:
    return sum((one.outcomes for one in done.labelled), Counter())


def test_probability_tells_anomalies_from_normal_records(log: MemoryLog) -> None:
    done = run(pipeline(MemoryLabels(labels(N))), log)
    scores = messages(done, "scores")
    probability = np.array([one["head"]["probability"] or np.nan for one in scores])
    known, odd = ~np.isnan(probability), labelled_vectors(N)[1]
    ones, zeros = probability[known & odd], probability[known & ~odd]
    assert (ones[:, None] > zeros).mean() > 0.9
    assert done.labelled[-1].roc_auc > 0.9
    alerts = [one for one in messages(done, "alerts") if one["type"] == "anomaly"]
    by_offset = {one["source"]["offset"]: one["head"] for one in scores}
    assert alerts
    assert all(one["head"] == by_offset[one["source"]["offset"]] for one in alerts)


@pytest.mark.parametrize("model", ["denoising_sparse", "stacked_denoising"])
def test_head_learns_what_no_score_tells(log: MemoryLog, model: ModelName) -> None:
    """Labelled are the records with the largest values of a feature, which are usual ones."""
    first = labelled_vectors(N)[0][:, 0]
    wanted = first > np.quantile(first, 0.9)
    named = [label(at, anomaly=bool(wanted[at])) for at in range(N) if wanted[at] or at % 7 == 0]
    settings = config()
    detector = msgspec.structs.replace(settings.detector, model=model)
    settings = msgspec.structs.replace(settings, detector=detector, labels=LabelsConfig(memory=512))
    one = Pipeline(settings, PARTITION, 0, labels=MemoryLabels(named))
    scores = messages(run(one, log), "scores")[2000:]
    probability = np.array([one["head"]["probability"] for one in scores])
    score = np.array([one["score"] for one in scores])
    assert (roc_auc(probability, wanted[2000:]) or 0.0) > 0.93
    assert (roc_auc(score, wanted[2000:]) or 1.0) < 0.85


def test_without_labels_log_nothing_is_said_of_a_head(log: MemoryLog) -> None:
    one = Pipeline(config(), PARTITION, 0)
    done = run(one, log, end=700)
    assert not any("head" in score for score in messages(done, "scores"))
    assert not done.labelled


@pytest.mark.parametrize("scores_per", ["record", "block"])
@pytest.mark.parametrize("size", [ONE_BY_ONE, 7, 63])
def test_outputs_and_state_do_not_depend_on_batching(
    log: MemoryLog, size: int, scores_per: str
) -> None:
    whole, pieces = (
        pipeline(MemoryLabels(labels(N)), memory=100, scores_per=scores_per) for _ in range(2)
    )
    expected, found = run(whole, log, N, end=1500), run(pieces, log, size, end=1500)
    for name in ("scores", "alerts"):
        assert messages(found, name) == messages(expected, name)
    assert pieces.snapshot() == whole.snapshot()


@pytest.mark.slow
@pytest.mark.parametrize("stop", [65, 1000, 2500])
def test_restored_pipeline_continues_as_if_nothing_had_happened(log: MemoryLog, stop: int) -> None:
    taken_from = MemoryLabels(labels(N))
    undisturbed = pipeline(taken_from)
    expected = run(undisturbed, log).outputs
    first = pipeline(taken_from)
    before = run(first, log, 100, end=stop).outputs
    second = Pipeline.restored(first._config, PARTITION, first.snapshot(), labels=taken_from)
    second.process(log.read(PARTITION, second.position, stop - second.position), again=True)
    after = run(second, log, 33).outputs
    for name in ("scores", "alerts"):
        assert [o for o in before + after if o.channel == name] == [
            o for o in expected if o.channel == name
        ]
    assert second.snapshot() == undisturbed.snapshot()


def test_records_learnt_again_take_no_new_labels(log: MemoryLog) -> None:
    taken_from = MemoryLabels([])
    first = pipeline(taken_from)
    run(first, log, end=BLOCK + 1)
    second = Pipeline.restored(first._config, PARTITION, first.snapshot(), labels=taken_from)
    taken_from.values = labels(N)
    second.process(log.read(PARTITION, second.position, 3 * BLOCK), again=True)
    assert second.boundary.labels == 0
    run(second, log, end=5 * BLOCK)
    assert second.boundary.labels == len(labels(N))


def test_outputs_name_the_labels_they_are_a_function_of(log: MemoryLog) -> None:
    """Labels that come late and in bursts: the scores alone tell when to give them again."""
    written = labels(N)
    live, chance = MemoryLabels([]), np.random.default_rng(0)
    one = pipeline(live)
    outputs = []
    while one.position < N:
        live.values = written[: len(live.values) + int(chance.integers(0, 60))]
        outputs += one.process(log.read(PARTITION, one.position, 50)).outputs
    scores = [output.value for output in outputs if output.channel == "scores"]
    assert len({json.loads(score or b"")["head"]["labels"] for score in scores}) > 5
    again, found = replayed(one._config, log.read(PARTITION, 0, N), scores, written)
    for name in ("scores", "alerts"):
        assert [o for o in found if o.channel == name] == [o for o in outputs if o.channel == name]
    assert again.snapshot() == one.snapshot()


def test_label_waits_for_its_record_and_comes_late_for_a_forgotten_one(log: MemoryLog) -> None:
    taken_from = MemoryLabels([label(5, anomaly=True), label(1000, anomaly=False)])
    one = pipeline(taken_from, memory=128)
    first = run(one, log, end=BLOCK)
    assert outcomes(first) == {"matched": 1}
    assert first.labelled[-1].n_waiting == 1
    assert outcomes(run(one, log, end=1000 + BLOCK)) == {"matched": 1}
    taken_from.values += [label(3, anomaly=False), label(1010, anomaly=False)]
    assert outcomes(run(one, log, end=1000 + 2 * BLOCK)) == {"late": 1, "matched": 1}


def test_flagged_records_are_remembered_longer(log: MemoryLog) -> None:
    taken_from = MemoryLabels([])
    one = pipeline(taken_from, memory=128)
    alerts = messages(run(one, log, end=2500), "alerts")
    early = next(a["source"]["offset"] for a in alerts if a["type"] == "anomaly")
    assert early < 2500 - 2 * 128
    taken_from.values = [label(early, anomaly=True), label(early + 1, anomaly=False)]
    assert outcomes(run(one, log, end=2600)) == {"matched": 1, "late": 1}


def test_labels_find_records_by_key_and_event_time(log: MemoryLog) -> None:
    named = [label_of_key(keys(N)[at], timestamps(N)[at], anomaly=True) for at in (3, 300, 2900)]
    stranger = label_of_key(b"nobody", timestamps(N)[3], anomaly=True)
    one = pipeline(MemoryLabels([*named, stranger]))
    done = run(one, log, end=400)
    assert outcomes(done) == {"matched": 2, "late": 1}
    assert one.online is not None
    assert one.online._supervision is not None
    assert one.online._supervision._examples.offsets.tolist() == [3, 300]


def test_labels_that_say_nothing_are_counted_and_those_of_other_partitions_are_not(
    log: MemoryLog,
) -> None:
    elsewhere = label(0, anomaly=True, partition=PARTITION._replace(partition=1))
    broken = [b"?", None, b"{}", b'{"anomaly": true}', b'{"anomaly": 1, "event_time": 0}', b"\xff"]
    broken += [b'{"anomaly": true, "event_time": "2026-01-01T00:00:00"}']  # In which zone?
    broken += [b'{"anomaly": true, "event_time": %d}' % moment for moment in (-1, 10**15, 2**63)]
    one = pipeline(MemoryLabels([*broken, label(2**63, anomaly=True), elsewhere]))
    assert outcomes(run(one, log, end=BLOCK)) == {"invalid": len(broken) + 1}
    assert one.snapshot()


def test_no_more_labels_are_read_than_may_wait(log: MemoryLog) -> None:
    ahead = [label(2000 + at, anomaly=False) for at in range(500)]
    one = pipeline(MemoryLabels(ahead), memory=100)
    run(one, log, end=1000)
    assert one.boundary.labels == 100
    run(one, log, end=2700)
    assert one.boundary.labels == 500


def test_correction_replaces_a_label_and_each_kind_keeps_its_latest(log: MemoryLog) -> None:
    settings = msgspec.structs.replace(config(), labels=LabelsConfig(examples=10))
    wanted = [label(at, anomaly=at % 2 == 0) for at in range(60)]
    one = Pipeline(settings, PARTITION, 0, labels=MemoryLabels([*wanted, label(58, anomaly=False)]))
    run(one, log, end=BLOCK)
    assert one.online is not None
    supervision = one.online._supervision
    assert supervision is not None
    offsets, anomalous = supervision._examples.offsets, supervision._anomalous
    assert offsets[~anomalous].tolist() == [*range(43, 60, 2), 58]
    assert offsets[anomalous].tolist() == [*range(40, 57, 2)]


def test_a_daemon_may_begin_or_cease_to_read_labels(log: MemoryLog) -> None:
    without = Pipeline(config(), PARTITION, 0)
    run(without, log, end=1000)
    begun = Pipeline.restored(
        config(), PARTITION, without.snapshot(), labels=MemoryLabels(labels(N))
    )
    assert outcomes(run(begun, log, end=2000))["matched"] > 100
    ceased = Pipeline.restored(config(), PARTITION, begun.snapshot())
    assert not run(ceased, log, end=2100).labelled
