import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from streamae import app
from streamae.config import (
    AlertingConfig,
    CommitConfig,
    Config,
    DetectorConfig,
    Duration,
    HttpConfig,
    OutputConfig,
    RecordConfig,
    SourceConfig,
    StateConfig,
)
from tests.replay.runs import Daemon, N, records


def configured(directory: Path) -> Config:
    """Return small blocks, and a snapshot at each of the last of them."""
    return Config(
        name="replayed",
        source=SourceConfig(path=str(directory / "in.jsonl"), max_poll_records=50),
        record=RecordConfig(key_field="host", timestamp_field="at"),
        detector=DetectorConfig(block_size=64, n_latents=32, warmup_records=256),
        alerting=AlertingConfig(budget=0.01, quiet_records=20),
        output=OutputConfig(
            alerts=str(directory / "alerts.jsonl"),
            scores=str(directory / "scores.jsonl"),
            dead_letters=str(directory / "dead-letters.jsonl"),
        ),
        commit=CommitConfig(interval=Duration(0), alert_interval=Duration(0)),
        state=StateConfig(
            directory=str(directory / "state"), snapshot_interval=Duration(0), keep=20
        ),
        http=HttpConfig(enabled=False),
    )


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a daemon that went through its input, its budget changed midway."""
    directory = tmp_path_factory.mktemp("finished")
    lines = records(N)
    source = directory / "in.jsonl"
    config = configured(directory)
    source.write_bytes(b"".join(lines[: N // 2]))
    app.build(config).run()
    source.write_bytes(b"".join(lines))
    changed = msgspec.structs.replace(config.alerting, budget=0.03, quiet_records=30)
    app.build(msgspec.structs.replace(config, alerting=changed)).run()
    return directory


@pytest.fixture
def daemon(finished: Path, tmp_path: Path) -> Daemon:
    """Return a copy of it to look at and to damage; its commit file speaks of other paths."""
    directory = tmp_path / "copy"
    shutil.copytree(finished, directory)
    commit = directory / "state/commit.json"
    commit.write_bytes(commit.read_bytes().replace(bytes(finished), bytes(directory)))
    return Daemon(directory, configured(directory))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().out
