"""Dead letters that the decoder of today reads, on their way back to the input."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from streamae import snapshot
from streamae.config import Config
from streamae.dead_letters import ERROR_HEADER, Letter, errors_of
from streamae.decode import Decoder, Reject
from streamae.errors import ConfigError
from streamae.local import FileSender
from streamae.records import source_of
from streamae.types import Archive, Output, RecordBatch, TopicPartition

N_AT_ONCE = 500
"""Letters that are held and sent together, when no rate asks for fewer."""


class Sender(Protocol):
    """Sends records to the input and keeps a receipt: both happen or neither."""

    def receipts(self, partition: TopicPartition) -> set[int]:
        """Return the offsets of the rejected records that were sent back before."""

    def send(self, partition: TopicPartition, letters: Sequence[Letter]) -> None:
        """Send the records in order and keep a receipt for them."""

    def close(self) -> None:
        """Release everything."""


class Wanted(NamedTuple):
    """Which letters are asked for."""

    reasons: Collection[str]
    """Empty for all."""
    start: int
    """Offset of the first record."""
    end: int | None
    """Offset behind the last one; None for all."""

    def take(self, letter: Letter) -> bool:
        """Return whether a letter is among them."""
        behind = self.end is not None and letter.offset >= self.end
        chosen = not self.reasons or letter.reason in self.reasons
        return chosen and letter.offset >= self.start and not behind


@dataclass(slots=True)
class Tally:
    """What was found among the dead letters of a partition that are asked for."""

    n_ready: int = 0
    """Those that are records by now."""
    rejects: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Those that still are none, by reason: how many, and what is wrong with the first."""
    n_sent: int = 0
    """Those with a receipt."""
    n_unknown: int = 0
    """Messages that do not say which record of this input they are."""

    def reject(self, letter: Letter, reject: Reject) -> None:
        """Count a letter that still is no record."""
        first = f"first at offset {letter.offset}: {reject.detail}"
        n, first = self.rejects.get(reject.reason.value, (0, first))
        self.rejects[reject.reason.value] = (n + 1, first)

    def lines(self, partition: TopicPartition) -> Iterator[str]:
        """Yield what people need to know."""
        n_rejected = sum(n for n, _ in self.rejects.values())
        total = self.n_ready + n_rejected + self.n_sent + self.n_unknown
        yield f"{partition}: {self.n_ready:,} of {total:,} dead letters can be read now"
        for reason, (n, first) in self.rejects.items():
            yield f"  {n:,} cannot: {reason}, {first}"
        if self.n_sent:
            yield f"  {self.n_sent:,} sent back before"
        if self.n_unknown:
            yield f"  {self.n_unknown:,} without the place of their record in this input"


def ready(
    archive: Archive,
    config: Config,
    partition: TopicPartition,
    wanted: Wanted,
    sent: Collection[int],
    tally: Tally,
) -> Iterator[Sequence[Letter]]:
    """Yield the letters of a partition that are records by now, a few hundred at most at a time.

    Those in `sent` are only counted, and each is taken once: a rewind, or a delivery at least once,
    writes a letter again.
    """
    decoder, columns = _decoder(archive, config, partition)
    seen: set[int] = set()
    new: list[Letter] = []
    for written in archive.outputs("dead_letters", partition):
        source = source_of(written.output)
        if source is None or (source.topic, source.partition) != partition:
            tally.n_unknown += 1
            continue
        letter = _letter(source.offset, written.output)
        if letter.offset in seen or not wanted.take(letter):
            continue
        seen.add(letter.offset)
        if letter.offset in sent:
            tally.n_sent += 1
            continue
        new.append(letter)
        if len(new) == N_AT_ONCE:
            yield from _decoded(decoder, columns, new, tally)
            new = []
    yield from _decoded(decoder, columns, new, tally)


def send(
    sender: Sender,
    partition: TopicPartition,
    letters: Iterable[Sequence[Letter]],
    per_s: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send letters, at most `per_s` a second; return how many that were."""
    size, n_sent = min(per_s or N_AT_ONCE, N_AT_ONCE), 0
    for some in letters:
        for start in range(0, len(some), size):
            if n_sent and per_s is not None:
                sleep(size / per_s)
            now = some[start : start + size]
            sender.send(partition, now)
            n_sent += len(now)
    return n_sent


def _letter(offset: int, output: Output) -> Letter:
    kept = [(name, value) for name, value in output.headers if not name.startswith(ERROR_HEADER)]
    reason = errors_of(output).get("reason", b"").decode(errors="replace")
    return Letter(offset, reason, output._replace(headers=tuple(kept)))


def _decoder(
    archive: Archive, config: Config, partition: TopicPartition
) -> tuple[Decoder, tuple[str, ...] | None]:
    """Return a decoder to the features of the saved state, and the columns of a CSV file."""
    columns = None
    if config.source.kind == "file" and config.source.path.endswith(".csv"):
        batch = next(iter(archive.records(partition, 0, 1)), None)
        columns = None if batch is None else batch.columns
    decoder = Decoder(config.record, columns)
    committed = archive.committed(partition)
    if committed is not None and committed.pointer is not None:
        header, _ = snapshot.decode(archive.load(partition, committed.pointer))
        if header.features is not None:
            decoder.freeze(header.features)
    return decoder, columns


def _decoded(
    decoder: Decoder, columns: tuple[str, ...] | None, letters: list[Letter], tally: Tally
) -> Iterator[Sequence[Letter]]:
    """Yield the letters that the decoder takes; count them and the others."""
    if not letters:
        return
    letters = sorted(letters, key=attrgetter("offset"))
    records = [letter.record for letter in letters]
    batch = RecordBatch(
        partition=records[0].source,
        offsets=np.array([letter.offset for letter in letters], dtype=np.int64),
        timestamps_ms=np.array([record.timestamp_ms for record in records], dtype=np.int64),
        keys=[record.key for record in records],
        values=[record.value for record in records],
        headers=[record.headers for record in records],
        next_offset=letters[-1].offset + 1,
        columns=columns,
    )
    decoded = decoder.decode(batch)
    for reject in decoded.rejects:
        tally.reject(letters[reject.index], reject)
    taken = [letters[row] for row in decoded.rows.tolist()]
    tally.n_ready += len(taken)
    if taken:
        yield taken


def open_sender(config: Config, output: Path | None, cleanups: ExitStack, *, dry: bool) -> Sender:
    """Open what sends letters to the input, or to the file `output` instead; `dry` sends none.

    Raise `ConfigError` where there is no input that could take them.
    """
    sender: Sender
    if config.source.kind == "kafka":
        if output is not None:
            raise ConfigError("--output is for files: letters of a topic go back to the topic")
        from streamae.kafka import TopicSender  # noqa: PLC0415 - files need no Kafka client.

        sender = TopicSender(config, dry=dry)
    else:
        sender = FileSender(config, output, dry=dry)
    cleanups.callback(sender.close)
    return sender
