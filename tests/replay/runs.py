"""A finished run of the daemon, and the verbs that look back at it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from streamae.cli import main
from streamae.config import Config
from streamae.config.file import redact
from tests.streams import values

N = 3000


def records(n: int) -> list[bytes]:
    """Return n lines, keyed, a second apart, one in a hundred broken."""
    lines = []
    for at, value in enumerate(values(n, seed=4, bad_share=0.01)):
        try:
            record = json.loads(value)
        except ValueError:
            lines.append(value + b"\n")
            continue
        record |= {"host": f"host-{at % 3}", "at": 1_700_000_000_000 + 1000 * at}
        lines.append(json.dumps(record).encode() + b"\n")
    return lines


class Daemon(NamedTuple):
    """Where a daemon wrote, and what it was configured to."""

    directory: Path
    config: Config

    def alerts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines("alerts")]

    def lines(self, channel: str) -> list[bytes]:
        return self.file(channel).read_bytes().splitlines(keepends=True)

    def file(self, channel: str) -> Path:
        return Path(getattr(self.config.output, channel))

    def write(self, channel: str, lines: list[bytes]) -> None:
        """Put other lines in place of those committed."""
        path, content = self.file(channel), b"".join(lines)
        path.write_bytes(content)
        file = self.directory / "state/commit.json"
        commit = json.loads(file.read_bytes())
        commit["lengths"][str(path)] = len(content)
        file.write_bytes(json.dumps(commit).encode())

    def run(self, verb: str, *arguments: str, **alerting: Any) -> int:
        """Run a verb as the command line does."""
        return main([verb, *arguments, "-c", str(self.settings(**alerting))])

    def settings(self, **alerting: Any) -> Path:
        """Write the configuration, with some keys of `alerting` changed, and return its file."""
        document = redact(self.config)
        document["alerting"] |= alerting
        path = self.directory / f"{'-'.join(['config', *alerting])}.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def content(self) -> dict[str, bytes]:
        """Return every file but configurations."""
        paths = (path for path in self.directory.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in paths if path.suffix != ".yaml"}
