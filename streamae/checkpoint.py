"""The snapshots that are kept, and going back to one of them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from streamae import snapshot
from streamae.check import Check
from streamae.config import Config
from streamae.errors import ConfigError, SnapshotError
from streamae.local import FileOffsets, snapshot_directory
from streamae.pipeline import Pipeline
from streamae.records import iso_time
from streamae.snapshot import Header, name_of
from streamae.trial import what_is_gone
from streamae.types import Archive, CommitPoint, Stored, TopicPartition

Position = Literal["keep", "rewind"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot that can be gone back to, unless it is damaged."""

    partition: TopicPartition
    stored: Stored
    header: Header | None
    """None when it is damaged."""
    problem: str | None
    """Why it cannot be used with this configuration; None when it can."""
    committed: CommitPoint | None
    """The commit that points to it; None for all but one snapshot of a partition."""

    @property
    def name(self) -> str:
        """What it is called on the command line: the beginning of its digest."""
        return name_of(self.stored.content)


class Offsets(Protocol):
    """Sets what a partition's next worker restores, while nobody works on it."""

    def commit(self, partition: TopicPartition, content: bytes, offset: int) -> None:
        """Save the snapshot as the newest and commit the offset with it."""

    def close(self) -> None:
        """Let others work on it again."""


def kept(archive: Archive, config: Config, partition: TopicPartition) -> Iterator[Kept]:
    """Yield the snapshots of a partition, oldest first."""
    committed = archive.committed(partition)
    for stored in archive.snapshots(partition):
        header, problem = _read(stored.content, config)
        points = committed is not None and committed.pointer == stored.pointer
        yield Kept(partition, stored, header, problem, committed if points else None)


def every(archive: Archive, config: Config) -> Iterator[Kept]:
    """Yield the snapshots of all partitions."""
    for partition in archive.partitions():
        yield from kept(archive, config, partition)


def find(archive: Archive, config: Config, name: str) -> Kept:
    """Return the snapshot whose name begins so; raise `ConfigError` when it is not exactly one."""
    found = [one for one in every(archive, config) if one.name.startswith(name)]
    if len({one.stored.content for one in found}) != 1:
        what = "no" if not found else "more than one"
        raise ConfigError(f"{what} snapshot is called {name}: `streamae checkpoint ls` names them")
    return found[-1]


def checks(archive: Archive, config: Config) -> Iterator[Check]:
    """Say of each snapshot whether it is whole and fits, and of each commit whether it holds."""
    for partition in archive.partitions():
        for one in kept(archive, config, partition):
            subject = f"{partition} {one.name}"
            if one.problem is None:
                yield Check("ok", subject, "whole, and fits the configuration")
            else:
                yield Check("fail", subject, one.problem)
        yield _committed(archive, partition)


def _committed(archive: Archive, partition: TopicPartition) -> Check:
    """Say whether a restart finds what was committed, and the records to go on with."""
    subject, committed = str(partition), archive.committed(partition)
    if committed is None:
        return Check("ok", subject, "nothing is committed yet")
    if committed.pointer is None:
        text = f"offset {committed.offset:,} is committed without a snapshot: a run learns anew"
        return Check("warn", subject, text)
    try:
        header, _ = snapshot.decode(archive.load(partition, committed.pointer))
    except SnapshotError as error:
        return Check("fail", subject, str(error))
    gap = _gap(archive, partition, header.offset, committed.offset)
    if gap is not None:
        return gap
    text = f"a run goes on at offset {committed.offset:,}, learning again from {header.offset:,}"
    return Check("ok", subject, text)


def _gap(
    archive: Archive, partition: TopicPartition, boundary: int, committed: int
) -> Check | None:
    """Return what the input lacks; None for an input that never can be read again."""
    try:
        edges = archive.bounds(partition)
    except ConfigError:
        return None
    gone = what_is_gone(boundary, committed, edges)
    return None if gone is None else Check(gone[0], str(partition), gone[1])


@dataclass(frozen=True, slots=True)
class Rollback:
    """A way back."""

    to: Kept
    header: Header
    position: Position
    content: bytes
    offset: int
    """Next offset to read."""
    n_between: int
    """Offsets from the snapshot's boundary to the committed one."""

    def lines(self) -> list[str]:
        """Return what it means, for people."""
        header = self.header
        back = f"{self.to.partition}: back to {self.to.name}, {header.ordinal:,} records learnt"
        if self.position == "keep":
            then = (
                f"the position is kept, {self.offset:,}: the {self.n_between:,} offsets from"
                f" {header.offset:,} on are not learnt, so from here on outputs are not what an"
                " undisturbed run would have given"
            )
        else:
            then = (
                f"the position is rewound to {self.offset:,}: outputs of {self.n_between:,}"
                " offsets are written once more"
            )
        return [back, then]


def plan(archive: Archive, config: Config, name: str, position: Position) -> Rollback:
    """Return the way back to a snapshot; raise `ConfigError` where there is none."""
    to = find(archive, config, name)
    if to.header is None or to.problem is not None:
        raise SnapshotError(f"{to.partition} {to.name}: {to.problem}")
    committed = archive.committed(to.partition)
    boundary = to.header.offset
    if position == "rewind":
        n_between = max(0, committed.offset - boundary) if committed is not None else 0
        return Rollback(to, to.header, position, to.stored.content, boundary, n_between)
    if committed is None:
        raise ConfigError(f"{to.partition}: no position is committed that could be kept")
    # A snapshot whose unfinished block begins at the position has nothing to learn again.
    _, arrays = snapshot.decode(to.stored.content)
    n_between = max(0, committed.offset - boundary)
    skipped_from = boundary if n_between else to.header.skipped_from
    header = msgspec.structs.replace(to.header, offset=committed.offset, skipped_from=skipped_from)
    content = snapshot.encode(header, arrays)
    return Rollback(to, to.header, position, content, committed.offset, n_between)


def open_offsets(config: Config, cleanups: ExitStack) -> Offsets:
    """Open what a rollback writes to; raise `ConfigError` while somebody works on it."""
    offsets: Offsets
    if config.source.kind == "kafka":
        from streamae.kafka import GroupOffsets  # noqa: PLC0415 - files need no Kafka client.

        offsets = GroupOffsets(config, snapshot_directory(config))
    else:
        offsets = FileOffsets(config)
    cleanups.callback(offsets.close)
    return offsets


def summary(one: Kept) -> dict[str, Any]:
    """Return what `ls` says of a snapshot, as plain values."""
    header = one.header
    return {
        "partition": str(one.partition),
        "name": one.name,
        "written": iso_time(one.stored.written_ms),
        "bytes": len(one.stored.content),
        "records_learnt": None if header is None else header.ordinal,
        "offset": None if header is None else header.offset,
        "skipped_from": None if header is None else header.skipped_from,
        "committed": None if one.committed is None else one.committed.offset,
        "problem": one.problem,
    }


def describe(one: Kept, config: Config) -> dict[str, Any]:
    """Return everything a snapshot says of itself, as plain values."""
    told, header = summary(one), one.header
    if header is not None:
        told |= {
            "features": header.features,
            "times": header.state["times"],
            "model": header.model,
            "rejects": header.state["rejects"],
            "judge": header.state["judge"],
            "format": header.format,
            "checksum": header.checksum,
        }
    if one.problem is None:
        pipeline = Pipeline.restored(config, one.partition, one.stored.content)
        told |= {"warmup": pipeline.warmup_progress, "alpha": pipeline.alpha}
    return told


def _read(content: bytes, config: Config) -> tuple[Header | None, str | None]:
    try:
        header, _ = snapshot.decode(content)
    except SnapshotError as error:
        return None, str(error)
    try:
        snapshot.check_fits(header, config)
    except SnapshotError as error:
        return header, str(error)
    return header, None
