from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamae.config import Config, OutputConfig, RecordConfig, SourceConfig, StateConfig
from streamae.errors import ConfigError
from streamae.local import DirectoryStore, FileArchive, FileSink
from streamae.types import Commit, TopicPartition
from tests.archives import CHECKS, TIMES_MS, Kept, alert

PARTITION = TopicPartition("in", 0)
VALUES = [b'{"a": %d, "at": %d}' % (at, time_ms) for at, time_ms in enumerate(TIMES_MS)]


def configured(directory: Path, **source: object) -> Config:
    (directory / "in.jsonl").write_bytes(b"\n".join(VALUES) + b"\n")
    return Config(
        source=SourceConfig(path=str(directory / "in.jsonl"), **source),  # type: ignore[arg-type]
        record=RecordConfig(timestamp_field="at"),
        output=OutputConfig(
            alerts=str(directory / "alerts.jsonl"), dead_letters=str(directory / "dead.jsonl")
        ),
        state=StateConfig(directory=str(directory / "state")),
    )


def sink(config: Config) -> FileSink:
    directory = Path(config.state.directory)
    return FileSink(config.output, directory, DirectoryStore(directory, config.state.keep))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Return an archive beside a daemon that holds the directory."""
    config = configured(tmp_path, max_poll_records=20)
    writer = sink(config)
    yield Kept(FileArchive(config), PARTITION, VALUES, writer.commit)
    writer.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(kept: Kept, check: Callable[[Kept], None]) -> None:
    check(kept)


def test_looking_makes_nothing(tmp_path: Path) -> None:
    config = configured(tmp_path)
    before = sorted(tmp_path.iterdir())
    archive = FileArchive(config)
    assert archive.committed(PARTITION) is None
    assert list(archive.snapshots(PARTITION)) == []
    with pytest.raises(ConfigError, match=r"commit\.json knows nothing of .*alerts\.jsonl"):
        list(archive.outputs("alerts", PARTITION))
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_not_committed_is_not_seen(kept: Kept) -> None:
    kept.commit(Commit([alert(PARTITION, 1)], {PARTITION: 2}))
    (first,) = kept.archive.outputs("alerts", PARTITION)
    path, _, _ = first.place.partition(",")
    with Path(path).open("ab") as file:
        file.write(b'{"type": "anomaly"}\n')
    assert list(kept.archive.outputs("alerts", PARTITION)) == [first]


@pytest.mark.parametrize(("follow", "n"), [(False, 2), (True, 1)])
def test_a_line_without_its_end_counts_where_it_is_taken(
    tmp_path: Path, follow: bool, n: int
) -> None:
    config = configured(tmp_path, follow=follow)
    Path(config.source.path).write_bytes(b'{"a": 1}\n{"a": 2}')
    assert FileArchive(config).bounds(PARTITION).end == n


def test_a_csv_file_begins_behind_its_header(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"a,b\n1,2\n3,4\n")
    archive = FileArchive(Config(source=SourceConfig(path=str(path))))
    assert archive.bounds(PARTITION).end == 2
    (batch,) = archive.records(PARTITION, 1, 2)
    assert (batch.values, batch.columns) == ([b"3,4"], ("a", "b"))
    path.write_bytes(b"")
    assert archive.bounds(PARTITION).end == 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"path": "-"}, "standard input cannot be read again"),
        ({"path": "/dev/null"}, "/dev/null cannot be read again"),
        ({"kind": "host"}, "is not kept"),
        ({"path": "no such file"}, "cannot read no such file"),
    ],
    ids=str,
)
def test_input_that_cannot_be_read_again(source: dict[str, str], reason: str) -> None:
    archive = FileArchive(Config(source=SourceConfig(**source)))  # type: ignore[arg-type]
    (partition,) = archive.partitions()
    with pytest.raises(ConfigError, match=reason):
        archive.bounds(partition)
    with pytest.raises(ConfigError, match="have no times|" + reason):
        archive.offset_at(partition, 0)


@pytest.mark.parametrize(
    ("channel", "reason"), [("alerts", "standard output is not kept"), ("scores", "no file")]
)
def test_outputs_that_are_not_kept(channel: str, reason: str) -> None:
    archive = FileArchive(Config(output=OutputConfig(alerts="-")))
    with pytest.raises(ConfigError, match=f"output.{channel}: .*{reason}"):
        list(archive.outputs(channel, PARTITION))  # type: ignore[arg-type]
