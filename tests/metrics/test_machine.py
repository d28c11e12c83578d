"""Limits of both cgroup versions, read from trees like those of /proc and /sys."""

from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from streamae.metrics.machine import available_memory_bytes, cpu_cores_available

MIB = 1 << 20


def tree(root: Path, cgroup: str, files: Mapping[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": cgroup, **files}.items():
        path = root / name.format("sys/fs/cgroup")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def test_without_cgroups_it_is_the_whole_machine(tmp_path: Path) -> None:
    assert available_memory_bytes(tmp_path) == psutil.virtual_memory().total
    assert cpu_cores_available(tmp_path) == len(psutil.Process().cpu_affinity() or [])


def test_version_2_takes_the_lowest_limit_on_the_way_up(tmp_path: Path) -> None:
    files = {
        "{}/a/b/memory.max": "max",
        "{}/a/memory.max": str(512 * MIB),
        "{}/memory.max": str(600 * MIB),
        "{}/a/b/cpu.max": "max 100000",
        "{}/a/cpu.max": "50000 100000",
    }
    root = tree(tmp_path, "0::/a/b", files)
    assert available_memory_bytes(root) == 512 * MIB
    assert cpu_cores_available(root) == 0.5


def test_version_1_has_a_tree_per_controller(tmp_path: Path) -> None:
    files = {
        "{}/memory/x/memory.limit_in_bytes": str(256 * MIB),
        "{}/memory/memory.limit_in_bytes": "9223372036854771712",
        "{}/cpu/y/cpu.cfs_quota_us": "25000",
        "{}/cpu/y/cpu.cfs_period_us": "100000",
        "{}/cpu/cpu.cfs_quota_us": "-1",
        "{}/cpu/cpu.cfs_period_us": "100000",
    }
    root = tree(tmp_path, "4:memory:/x\n1:cpu,cpuacct:/y\n9:name=systemd:/", files)
    assert available_memory_bytes(root) == 256 * MIB
    assert cpu_cores_available(root) == 0.25


@pytest.mark.parametrize("path", ["/docker/1f2e", "/", "/../outside"])
def test_a_container_sees_its_own_cgroup_as_the_outermost(tmp_path: Path, path: str) -> None:
    root = tree(
        tmp_path, f"0::{path}", {"{}/memory.max": str(128 * MIB), "{}/cpu.max": "1000 4000"}
    )
    assert available_memory_bytes(root) == 128 * MIB
    assert cpu_cores_available(root) == 0.25


def test_a_limit_above_the_machine_limits_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path, "0::/", {"{}/memory.max": str(1 << 60), "{}/cpu.max": "99900000 1000"})
    assert available_memory_bytes(root) == psutil.virtual_memory().total
    assert cpu_cores_available(root) == len(psutil.Process().cpu_affinity() or [])
