"""`streamae replay` over what a real daemon wrote."""

import json
import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamae import snapshot
from streamae.archive import open_archive
from streamae.replay import Range, Replay
from streamae.replay.compare import Comparison
from streamae.replay.playback import newest
from streamae.types import Channel, TopicPartition
from tests.replay.runs import Daemon, N

PARTITION = TopicPartition("in", 0)
Said = Callable[[], str]


def compared(daemon: Daemon, start: int = 0, end: int = N) -> Mapping[Channel, Comparison]:
    with ExitStack() as cleanups:
        archive = open_archive(daemon.config, cleanups)
        report = Replay(archive, daemon.config).compare(Range(PARTITION, start, end))
    assert report.comparison is not None
    return report.comparison


@pytest.mark.parametrize(
    "place",
    [[], ["--from", "2300"], ["--from", "1000", "--to", "1700"], ["--from-scratch"]],
    ids=" ".join,
)
def test_what_was_committed_is_what_the_log_gives(
    daemon: Daemon, said: Said, place: list[str]
) -> None:
    before = daemon.content()
    assert daemon.run("replay", "--compare", "--json", *place) == 0
    (report,) = json.loads(said())["partitions"]
    for channel, found in report["comparison"].items():
        assert found["difference"] is None, channel
        assert found["equal"] > 0 or report["end"] - report["start"] < 100
    assert (report["begun"]["ordinal"] > 0) == ("2300" in place)
    assert (report["begun"]["snapshot"] is not None) == ("2300" in place)
    assert daemon.content() == before


def test_the_budget_is_changed_where_it_was(daemon: Daemon) -> None:
    kinds = [alert["type"] for alert in daemon.alerts()]
    assert kinds.count("configuration") == 1
    assert compared(daemon)["alerts"].equal == len(kinds)


def test_times_are_places(daemon: Daemon, said: Said) -> None:
    arguments = ["--from", "2023-11-14T22:46:40Z", "--to", "2023-11-14T23:03:20"]
    assert daemon.run("replay", "--json", *arguments) == 0
    (report,) = json.loads(said())["partitions"]
    assert (report["start"], report["end"]) == (2000, 3000)
    expected = [
        alert
        for alert in daemon.alerts()
        if alert["type"] == "anomaly" and alert["source"]["offset"] >= 2000
    ]
    assert report["alerts"] == expected


def test_alerts_as_a_table(daemon: Daemon, said: Said) -> None:
    assert daemon.run("replay") == 0
    lines = said().splitlines()
    assert lines[0] == "in-0: offsets 0 to 3000, from an empty model at offset 0"
    alerts = [alert for alert in daemon.alerts() if alert["type"] == "anomaly"]
    assert lines[1] == f"  {len(alerts)} alerts"
    assert [line.split()[0] for line in lines[3:]] == [alert["alert_id"] for alert in alerts]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channel", ["alerts", "scores", "dead_letters"])
def test_a_changed_byte_names_exactly_its_record(daemon: Daemon, channel: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a choice, not a secret.
    lines = daemon.lines(channel)
    number = chance.randrange(len(lines))
    line = bytearray(lines[number])
    at = chance.randrange(len(line) - 1)
    line[at] = chance.choice([byte for byte in range(32, 127) if byte != line[at]])
    source = original(daemon, channel, number)
    daemon.write(channel, [*lines[:number], bytes(line), *lines[number + 1 :]])
    found = compared(daemon)
    for name, comparison in found.items():
        difference = comparison.difference
        if name != channel:
            assert difference is None
            continue
        assert difference is not None
        assert comparison.equal == number
        assert (difference.source and difference.source.offset) == source
        assert difference.kind == "changed"
        assert difference.place == f"{daemon.file(channel)}, line {number + 1}"
        assert difference.field
        assert difference.committed != difference.recomputed


def original(daemon: Daemon, channel: str, number: int) -> int:
    """Return the offset of the record that a line is about."""
    line = json.loads(daemon.lines(channel)[number])
    if channel == "dead_letters":
        return int(dict(line["headers"])["__streamae.errors.offset"])
    return int(line["source"]["offset"])


@pytest.mark.slow
@pytest.mark.parametrize("channel", ["alerts", "scores"])
@pytest.mark.parametrize("number", [0, 20, -1])
def test_a_line_that_was_taken_out(daemon: Daemon, channel: Channel, number: int) -> None:
    lines = daemon.lines(channel)
    expected = original(daemon, channel, number)
    del lines[number]
    daemon.write(channel, lines)
    difference = compared(daemon)[channel].difference
    assert difference is not None
    assert (difference.kind, difference.place) == ("missing", None)
    assert difference.source is not None
    assert difference.source.offset == expected


def test_an_output_that_was_switched_on_later(daemon: Daemon, said: Said) -> None:
    begins = 40
    first, source = original(daemon, "scores", 0), original(daemon, "scores", begins)
    daemon.write("scores", daemon.lines("scores")[begins:])
    assert daemon.run("replay", "--compare") == 1
    printed = said()
    assert "scores: 0 equal, then the first difference" in printed
    assert "difference    missing" in printed
    assert f"record        in-0, offset {first}" in printed
    assert f"in its place  that of in-0, offset {source}" in printed
    assert daemon.run("replay", "--compare", "--from", str(source)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("channel", ["alerts", "scores"])
@pytest.mark.parametrize("number", [0, 20, -1])
def test_a_line_that_was_put_in(daemon: Daemon, channel: Channel, number: int) -> None:
    lines = daemon.lines(channel)
    at = number % len(lines) + (number < 0)
    daemon.write(channel, [*lines[:at], lines[7], *lines[at:]])
    difference = compared(daemon)[channel].difference
    assert difference is not None
    assert difference.kind == "unexpected"
    assert difference.place == f"{daemon.file(channel)}, line {at + 1}"


def test_a_difference_within_a_range(daemon: Daemon, said: Said) -> None:
    lines = daemon.lines("alerts")
    alerts = daemon.alerts()
    number = next(at for at, one in enumerate(alerts) if one["source"]["offset"] > 2500)
    changed = lines[number].replace(b'"detector":"replayed"', b'"detector":"replaced"')
    daemon.write("alerts", [*lines[:number], changed, *lines[number + 1 :]])
    assert daemon.run("replay", "--compare", "--to", "2400") == 0
    assert daemon.run("replay", "--compare", "--from", "2800") == 0
    said()
    assert daemon.run("replay", "--compare", "--from", "2400", "--to", "2800") == 1
    printed = said()
    assert f"line {number + 1}" in printed
    assert f"in-0, offset {alerts[number]['source']['offset']}" in printed
    assert alerts[number]["alert_id"] in printed
    assert "field         detector" in printed
    assert 'committed     "replaced"' in printed
    assert 'recomputed    "replayed"' in printed


@pytest.mark.slow
def test_against_another_configuration(daemon: Daemon, said: Said) -> None:
    other = str(daemon.settings(budget=0.03, critical_share=0.9, quiet_records=30))
    assert daemon.run("replay", "--against", other, "--json") == 0
    (report,) = json.loads(said())["partitions"]
    alerts = {alert["source"]["offset"]: alert for alert in report["alerts"]}
    kinds = [change["kind"] for change in report["changes"]]
    assert {"appears", "severity"} <= set(kinds)
    for change in report["changes"]:
        assert (change["offset"] in alerts) == (change["kind"] != "appears")
        assert (change["before"] is None) == (change["kind"] == "appears")
        assert (change["after"] is None) == (change["kind"] == "disappears")
        if change["kind"] == "severity":
            assert (change["before"], change["after"]) == ("warning", "critical")
        if change["within"] is not None:
            assert change["within"] < change["offset"]
    assert daemon.run("replay", "--against", other) == 0
    counted = said().splitlines()
    assert f"{kinds.count('appears')} would appear" in counted[1]
    assert len(counted) == 3 + len(kinds)


@pytest.mark.slow
def test_against_the_same_configuration(daemon: Daemon, said: Said) -> None:
    same = str(daemon.settings(budget=0.01))
    assert daemon.run("replay", "--against", same, "--to", str(N // 2), "--json") == 0
    (report,) = json.loads(said())["partitions"]
    assert report["alerts"]
    assert report["changes"] == []


@pytest.mark.slow
def test_against_another_model(daemon: Daemon, said: Said) -> None:
    other = daemon.settings()
    other = other.rename(other.with_name("wider.yaml"))
    other.write_text(other.read_text().replace("n_latents: 32", "n_latents: 16"))
    assert daemon.run("replay", "--against", str(other), "--from", "2500", "--json") == 0
    (report,) = json.loads(said())["partitions"]
    assert any("another model" in note for note in report["notes"])


def test_times_outside_the_log_are_its_ends(daemon: Daemon, said: Said) -> None:
    assert daemon.run("replay", "--from", "1960-01-01", "--to", "100", "--json") == 0
    assert json.loads(said())["partitions"][0]["start"] == 0
    assert daemon.run("replay", "--from", "2100-01-01", "--to", "2100-01-02") == 0
    assert "note: the range holds no record" in said()


def test_the_newest_snapshot_before_a_place(daemon: Daemon, tmp_path: Path) -> None:
    with ExitStack() as cleanups:
        archive = open_archive(daemon.config, cleanups)
        offsets = [
            snapshot.decode(stored.content)[0].offset for stored in archive.snapshots(PARTITION)
        ]
        assert offsets == sorted(offsets)
        for at in (offsets[0] - 1, offsets[0], offsets[3] + 1, N):
            found = newest(archive, PARTITION, at)
            expected = max((offset for offset in offsets if offset <= at), default=None)
            assert (found and snapshot.decode(found.content)[0].offset) == expected
