"""What of the machine this process may use; in a container that is less than the machine has."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import psutil

ROOT = Path("/")


def available_memory_bytes(root: Path = ROOT) -> int:
    """Return the memory of the machine, or the lowest limit of this process's cgroups."""
    limits = [
        int(limit)
        for group in _groups(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        for limit in _words(group / name)
        if limit.isdecimal()
    ]
    return min([psutil.virtual_memory().total, *limits])


def cpu_cores_available(root: Path = ROOT) -> float:
    """Return the CPUs this process may run on, or what the quotas of its cgroups allow of them."""
    quotas = []
    for group in _groups(root, "cpu"):
        for words in (
            _words(group / "cpu.max"),
            _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us"),
        ):
            # No quota is `max` in version 2 and -1 in version 1.
            if len(words) == 2 and all(word.isdecimal() for word in words):  # noqa: PLR2004
                quotas.append(int(words[0]) / int(words[1]))
    return min([float(len(os.sched_getaffinity(0))), *quotas])


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the directories of this process's cgroups, of both versions, up to the outermost."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        # A container may see its own cgroup as the outermost and yet be told the host's path.
        group = PurePosixPath(path).relative_to("/")
        yield from (mount / each for each in (group, *group.parents))


def _words(file: Path) -> list[str]:
    return _text(file).split()


def _text(file: Path) -> str:
    """Return the content, nothing where there is no such file."""
    with suppress(OSError):
        return file.read_text()
    return ""
