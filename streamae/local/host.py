"""The machine streamae runs on as a source: one record of rates and fill levels per interval.

The past of a machine cannot be read again: offsets count samples, and a restart counts on behind
what was committed.
"""

import contextlib
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import psutil

from streamae.config import SourceConfig
from streamae.local.source import partition_of
from streamae.types import AssignmentListener, Poll, RecordBatch, TopicPartition


class Sample(NamedTuple):
    """One look at the machine."""

    counters: Mapping[str, float]
    """Totals since boot; their growth per second is the feature."""
    gauges: Mapping[str, float]
    """Features as they are."""


class HostSource:
    """Samples this machine every `source.interval` as partition 0 of `source.topic` or `host`.

    Records are JSON objects keyed by the host's name. A counter that went backwards, because a
    device left, is missing in that record.
    """

    def __init__(
        self,
        config: SourceConfig,
        sample: Callable[[], Sample] | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = float(config.interval)
        self._partition = partition_of(config)
        self._key = platform.node().encode()
        self._sample = sample or Machine().sample
        self._wall = wall
        self._clock = clock
        self._sleep = sleep
        self._listener: AssignmentListener | None = None
        self._position = 0
        self._due = 0.0
        self._counters: Mapping[str, float] = {}
        self._sampled_at = 0.0

    def start(self, listener: AssignmentListener) -> None:
        """Take the first reading of the counters; the partition is assigned in the first poll."""
        self._listener = listener
        self._counters = self._sample().counters
        self._sampled_at = self._clock()
        self._due = self._sampled_at + self._interval

    def poll(self, timeout_s: float) -> Poll:
        """Return one record when a sample falls due within `timeout_s`, else none."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.on_assign([self._partition])
        now = self._clock()
        self._sleep(max(0.0, min(self._due - now, timeout_s)))
        if self._clock() < self._due:
            return Poll(lag={self._partition: 0})
        return Poll(batches=[self._record()], lag={self._partition: 0})

    def seek(
        self, partition: TopicPartition, offset: int | None, fallback: int | None = None
    ) -> int:
        """Give the next sample the offset `fallback`, or `offset` without one, or 0."""
        if partition != self._partition:
            raise ValueError(f"{partition} is not a partition of this source")
        self._position = next((at for at in (fallback, offset) if at is not None), 0)
        return self._position

    def close(self) -> None:
        """Nothing is held."""

    def _record(self) -> RecordBatch:
        sample = self._sample()
        now = self._clock()
        features = dict(sample.gauges) | self._rates(sample.counters, now - self._sampled_at)
        self._counters, self._sampled_at = sample.counters, now
        self._due += self._interval
        if self._due <= now:  # Samples that a busy process missed cannot be made up for.
            self._due = now + self._interval
        offset = self._position
        self._position += 1
        return RecordBatch(
            partition=self._partition,
            offsets=np.array([offset]),
            timestamps_ms=np.array([int(self._wall() * 1000)]),
            keys=[self._key],
            values=[msgspec.json.encode(features)],
            headers=[()],
            next_offset=self._position,
        )

    def _rates(self, counters: Mapping[str, float], elapsed_s: float) -> dict[str, float | None]:
        rates: dict[str, float | None] = {}
        for name, total in counters.items():
            growth = total - self._counters.get(name, float("inf"))
            rates[name] = growth / elapsed_s if growth >= 0 and elapsed_s > 0 else None
        return rates


class Machine:
    """Reads the counters and gauges of this machine; what it does not have is left out."""

    def __init__(self) -> None:
        self._cpus = psutil.cpu_count() or 1
        self._mounts = sorted({"/", *_mounts()})

    def sample(self) -> Sample:
        """Return the totals and levels of this moment."""
        counters = self._cpu() | self._disk() | self._network()
        return Sample(counters, self._gauges())

    def _cpu(self) -> dict[str, float]:
        """Seconds of all CPUs, scaled so that their growth per second is percent of the machine."""
        scale = 100 / self._cpus
        modes = psutil.cpu_times()._asdict()
        stats = psutil.cpu_stats()
        # Guest time is part of user time already.
        percent = {
            f"cpu_{mode}_percent": seconds * scale
            for mode, seconds in modes.items()
            if not mode.startswith("guest")
        }
        return percent | {
            "context_switches_per_s": stats.ctx_switches,
            "interrupts_per_s": stats.interrupts,
        }

    def _disk(self) -> dict[str, float]:
        disk = psutil.disk_io_counters(nowrap=False)
        if disk is None:  # A container without block devices.
            return {}
        return {
            "disk_read_bytes_per_s": disk.read_bytes,
            "disk_write_bytes_per_s": disk.write_bytes,
            "disk_reads_per_s": disk.read_count,
            "disk_writes_per_s": disk.write_count,
        }

    def _network(self) -> dict[str, float]:
        cards = psutil.net_io_counters(pernic=True, nowrap=False)
        outside = [card for name, card in cards.items() if name != "lo"]
        return {
            "network_received_bytes_per_s": sum(card.bytes_recv for card in outside),
            "network_sent_bytes_per_s": sum(card.bytes_sent for card in outside),
            "network_received_packets_per_s": sum(card.packets_recv for card in outside),
            "network_sent_packets_per_s": sum(card.packets_sent for card in outside),
        }

    def _gauges(self) -> dict[str, float]:
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        load_1m, load_5m, _ = psutil.getloadavg()
        gauges = {
            "load_1m": load_1m,
            "load_5m": load_5m,
            "memory_used_percent": memory.percent,
            "memory_available_bytes": memory.available,
            "swap_used_percent": swap.percent,
            "processes": len(psutil.pids()),
        }
        for mount in self._mounts:
            with contextlib.suppress(OSError):  # Unmounted since the start.
                gauges[f"filesystem_used_percent:{mount}"] = psutil.disk_usage(mount).percent
        return gauges


def _mounts() -> Iterable[str]:
    """Return one directory per block device; bind mounts show the same device again."""
    first: dict[str, str] = {}
    for part in psutil.disk_partitions(all=False):
        if Path(part.mountpoint).is_dir():
            first.setdefault(part.device, part.mountpoint)
    return first.values()
