"""Verbs on files, as their users run them in a directory, without processes of their own."""

from collections.abc import Sequence
from pathlib import Path

from streamae.cli import main

SETTINGS = (
    "source.path=in.jsonl",
    "output.scores=scores.jsonl",
    "detector={block_size: 64, n_latents: 32, warmup_records: 256}",
    "alerting={budget: 0.01}",
    "http.enabled=false",
)
"""A detector that warms up within 400 records."""


def write(path: Path, values: Sequence[bytes]) -> None:
    """Append lines."""
    with path.open("ab") as file:
        file.writelines(value + b"\n" for value in values)


def run(words: Sequence[str], *overrides: str) -> int:
    """Run a verb with its options on `SETTINGS`, some of them replaced; return the exit code."""
    settings = (word for one in (*SETTINGS, *overrides) for word in ("--set", one))
    return main([*words, *settings])
