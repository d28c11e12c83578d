import numpy as np
import torch

from streamae.config import DetectorConfig
from streamae.detector.drift import Drift, DriftMonitor
from streamae.detector.moments import moments
from streamae.detector.scaler import Scaler
from streamae.types import Floats

N = 256


def scaler() -> Scaler:
    """Return one of mean 10 and standard deviation 2 in each of three features."""
    fitted = Scaler(3, 10**6)
    fitted.mean[:], fitted.variance[:], fitted.count[:] = 10.0, 4.0, 10**5
    fitted.refresh()
    return fitted


def drifts(z: Floats, monitor: DriftMonitor | None = None) -> list[tuple[int, Drift]]:
    """Return what the blocks z[m, N, 3], NaN = missing, complete, each with its block."""
    monitor = monitor or DriftMonitor(3, DetectorConfig())
    found = []
    for at, block in enumerate(z):
        rows = torch.from_numpy(block)
        missing = torch.isnan(rows)
        sums = moments(rows.nan_to_num(0.0), missing if missing.any() else None, np.ones(N))
        drift = monitor.update(sums, scaler().levels(slice(None)))
        if drift is not None:
            found.append((at, drift))
    return found


def noise(n_blocks: int) -> Floats:
    return np.random.default_rng(0).standard_normal((n_blocks, N, 3)).astype(np.float32)


def test_it_says_what_moved_from_where_to_where() -> None:
    z = noise(40)
    z[20:, :, 1] -= 2.0
    z[20:, :, 2] += 6.0
    (at, drift), *_ = drifts(z)
    assert (at, drift.n_blocks) == (23, 4)
    assert drift.features.tolist() == [2, 1]
    np.testing.assert_array_equal(drift.before, 10.0)
    np.testing.assert_allclose(drift.after, [22.0, 6.0], atol=0.2)


def test_what_ends_within_three_blocks_or_turns_is_no_drift() -> None:
    z = noise(40)
    z[10:13, :, 0] += 5.0
    z[20:22, :, 1] += 5.0
    z[22:24, :, 1] -= 5.0
    assert drifts(z) == []


def test_a_few_wild_values_are_no_level() -> None:
    z = noise(40)
    z[:, ::8] = 100.0
    assert drifts(z) == []


def test_a_level_that_wanders_has_to_go_further() -> None:
    z = noise(200)
    z[:100] += np.repeat(np.random.default_rng(1).normal(size=(20, 1, 3)), 5, 0).astype(np.float32)
    monitor = DriftMonitor(3, DetectorConfig())
    drifts(z[:100], monitor)
    assert drifts(z[100:] + np.float32(1.5), monitor) == []


def test_too_few_values_have_no_level() -> None:
    z = noise(40)
    z[20:] += 5.0
    z[20:, 12:] = np.nan
    assert drifts(z) == []


def test_it_goes_on_where_it_was() -> None:
    z = noise(30)
    z[20:] += 3.0
    first, second = (DriftMonitor(3, DetectorConfig()) for _ in range(2))
    assert drifts(z[:22], first) == []
    second.load_state_dict(first.state_dict())
    assert next(at for at, _ in drifts(z[22:], second)) == 1


def test_it_keeps_the_wandering_and_the_runs_of_the_plain_formulas() -> None:
    rng = np.random.default_rng(2)
    z = noise(60) + rng.choice(np.float32([-3, 0, 0, 0, 3]), (20, 1, 3)).repeat(3, axis=0)
    z[rng.random(z.shape) < 0.1] = np.nan
    z[::7, 8:, 1] = np.nan
    config = DetectorConfig(drift_records=10**6, memory=20 * N)
    monitor = DriftMonitor(3, config)
    square, count, run = np.full(3, 0.25), np.full(3, 4.0), np.zeros(3)
    longest = 0
    for block in z:
        drifts(block[None], monitor)
        level = np.nanmean(np.clip(block, -5, 5), axis=0, dtype=np.float64)
        limit = np.maximum(1.0, 3.0 * np.sqrt(square))
        known = (~np.isnan(block)).sum(axis=0) >= N / 16
        side = np.sign(level) * (known & (np.abs(level) > limit))
        run = np.where((side != 0) & (np.sign(run) == side), run + side, side)
        count = np.where(known, np.minimum(count + 1, 20), count)
        distance = np.minimum(np.abs(level), limit)
        square = np.where(known, square + (distance**2 - square) / count, square)
        np.testing.assert_allclose(monitor.square, square, rtol=1e-5)
        np.testing.assert_array_equal(monitor.count, count)
        np.testing.assert_array_equal(monitor.run, run)
        longest = max(longest, monitor.n_shifted)
    assert longest > 1
