"""Dead letters that the decoder of today reads, on their way back to the input."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from streamae import snapshot
from streamae.config import Config
from streamae.decode import Decoder, Reject
from streamae.errors import ConfigError
from streamae.local import FileSender
from streamae.receipts import Letter
from streamae.records import ERROR_HEADER, source_of
from streamae.types import Archive, Output, RecordBatch, TopicPartition

N_AT_ONCE = 500
"""Letters of one transaction, when no rate asks for fewer."""


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
class Sorted:
    """The dead letters of a partition that are asked for."""

    partition: TopicPartition
    ready: list[Letter] = field(default_factory=list)
    """What is a record by now, in the order of the input."""
    rejects: list[tuple[Letter, Reject]] = field(default_factory=list)
    """What still is none."""
    n_sent: int = 0
    """Those with a receipt."""
    n_unknown: int = 0
    """Messages that do not say which record of this input they are."""

    def lines(self) -> Iterator[str]:
        """Yield what people need to know."""
        still = len(self.rejects)
        yield f"{self.partition}: {len(self.ready):,} dead letters are records by now"
        if still:
            reasons = sorted({reject.reason.value for _, reject in self.rejects})
            for reason in reasons:
                found = [(one, no) for one, no in self.rejects if no.reason.value == reason]
                letter, reject = found[0]
                yield (
                    f"  {len(found):,} still are not: {reason}, first at offset {letter.offset}:"
                    f" {reject.detail}"
                )
        if self.n_sent:
            yield f"  {self.n_sent:,} were sent back before"
        if self.n_unknown:
            yield f"  {self.n_unknown:,} do not say which record of this input they are"


def sort(
    archive: Archive, config: Config, partition: TopicPartition, wanted: Wanted, sent: set[int]
) -> Sorted:
    """Return the wanted letters of a partition, those in `sent` only counted."""
    sorted_ = Sorted(partition)
    found: dict[int, Letter] = {}
    for written in archive.outputs("dead_letters", partition):
        source = source_of(written.output)
        if source is None or (source.topic, source.partition) != partition:
            sorted_.n_unknown += 1
            continue
        letter = _letter(source.offset, written.output)
        if wanted.take(letter):
            # A rewind, or a delivery at least once, writes a letter again.
            found[letter.offset] = letter
    letters = [found[offset] for offset in sorted(found.keys() - sent)]
    sorted_.n_sent = len(found) - len(letters)
    _decode(archive, config, letters, sorted_)
    return sorted_


def _letter(offset: int, output: Output) -> Letter:
    said = {
        name.removeprefix(ERROR_HEADER): value
        for name, value in output.headers
        if name.startswith(ERROR_HEADER)
    }
    kept = [(name, value) for name, value in output.headers if not name.startswith(ERROR_HEADER)]
    reason = said.get("reason", b"").decode(errors="replace")
    return Letter(offset, reason, replace(output, headers=tuple(kept)))


def _decode(archive: Archive, config: Config, letters: list[Letter], into: Sorted) -> None:
    """Part the letters into those the decoder takes and the others."""
    partition = into.partition
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
    batch = RecordBatch(
        partition=partition,
        offsets=np.array([one.offset for one in letters], dtype=np.int64),
        timestamps_ms=np.array([one.record.timestamp_ms for one in letters], dtype=np.int64),
        keys=[one.record.key for one in letters],
        values=[one.record.value for one in letters],
        headers=[one.record.headers for one in letters],
        next_offset=letters[-1].offset + 1 if letters else 0,
        columns=columns,
    )
    decoded = decoder.decode(batch)
    into.ready = [letters[row] for row in decoded.rows.tolist()]
    into.rejects = [(letters[reject.index], reject) for reject in decoded.rejects]


def send(
    sender: Sender,
    found: Sorted,
    per_s: int | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Send what is ready, at most `per_s` a second; yield how many were sent, time by time."""
    size = min(per_s or N_AT_ONCE, N_AT_ONCE)
    for start in range(0, len(found.ready), size):
        if start and per_s is not None:
            sleep(size / per_s)
        letters = found.ready[start : start + size]
        sender.send(found.partition, letters)
        yield len(letters)


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
