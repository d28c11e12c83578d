"""Labels that came while the daemon ran: a replay takes them where the daemon did."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pytest

from streamae import app
from streamae.archive import open_archive
from streamae.config import LabelsConfig
from streamae.local import MemoryLabels
from streamae.replay import Range, Replay
from streamae.replay.labels import Known, RecordedLabels
from streamae.types import TopicPartition
from tests.replay.conftest import configured
from tests.replay.runs import Daemon, records

PARTITION = TopicPartition("in", 0)
PARTS = 3
N = 1500


@pytest.fixture(scope="module", params=["record", "block"])
def labelled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Daemon:
    """Return a daemon that ran three times, more labels of old records there each time."""
    tmp_path = tmp_path_factory.mktemp("labelled")
    lines = records(N)
    per: Literal["record", "block"] = request.param
    config = configured(tmp_path)
    config = msgspec.structs.replace(
        config,
        output=msgspec.structs.replace(config.output, scores_per=per),
        labels=LabelsConfig(source=str(tmp_path / "labels.jsonl")),
    )
    source, labels = tmp_path / "in.jsonl", tmp_path / "labels.jsonl"
    labels.write_bytes(b"")
    scores: dict[int, float] = {}
    for part in range(1, PARTS + 1):
        source.write_bytes(b"".join(lines[: part * N // PARTS]))
        app.build(config).run()
        scores = scores or first_scores(tmp_path / "scores.jsonl")
        labels.write_text("".join(label(offset, scores) for offset in range(40 * part)))
    return Daemon(tmp_path, config)


def first_scores(path: Path) -> dict[int, float]:
    messages = map(json.loads, path.read_bytes().splitlines())
    found: dict[int, float] = {}
    for one in messages:
        pairs = [(one["source"]["offset"], one["score"])] if "source" in one else []
        pairs += zip(one.get("offsets", ()), one.get("scores", ()), strict=True)
        found.update((offset, score) for offset, score in pairs if score is not None)
    return found


def label(number: int, scores: dict[int, float]) -> str:
    """Return a label of one of the first records, the highest scores being the anomalies."""
    offset = sorted(scores)[number]
    anomaly = scores[offset] > float(np.quantile(list(scores.values()), 0.7))
    source = {"topic": PARTITION.topic, "partition": PARTITION.partition, "offset": offset}
    return json.dumps({"anomaly": anomaly, "source": source}) + "\n"


@pytest.mark.slow
def test_they_are_taken_where_the_daemon_took_them(
    labelled: Daemon, said: Callable[[], str]
) -> None:
    known = {
        value
        for line in labelled.lines("scores")
        for one in [json.loads(line)]
        for value in [one["head"]["labels"] if "head" in one else one["labels"]]
    }
    assert known == {0, *(40 * part for part in range(1, PARTS))}
    for place in ([], ["--from", str(N // 2)], ["--from-scratch"]):
        assert labelled.run("replay", "--compare", *place) == 0
    assert "note" not in said()


@pytest.mark.slow
def test_taken_at_once_they_make_a_difference(
    labelled: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamae.replay.playback.known_labels", lambda _: [])
    with ExitStack() as cleanups:
        archive = open_archive(labelled.config, cleanups)
        labels = app.open_labels(labelled.config, cleanups)
        replay = Replay(archive, labelled.config, labels, from_scratch=True)
        report = replay.compare(Range(PARTITION, 0, N))
    assert report.differs


@pytest.mark.parametrize(
    ("last", "offset", "limit", "expected"),
    [
        (9, 0, 10, ([], 0)),
        (10, 0, 10, ([b"0", b"1", b"2"], 3)),
        (10, 1, 1, ([b"1"], 2)),
        (10, 3, 10, ([], 3)),
        (30, 3, 10, ([b"3", b"4", b"5"], 6)),
    ],
)
def test_the_log_ends_where_it_did(last: int, offset: int, limit: int, expected: Any) -> None:
    log = MemoryLabels([b"%d" % number for number in range(6)])
    known = [Known(10, 0), Known(20, 3), Known(30, 3)]
    recorded = RecordedLabels(log, known, lambda: last)
    assert tuple(recorded.read(PARTITION, offset, limit)) == expected
