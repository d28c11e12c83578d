from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streamae.config import DetectorConfig
from streamae.transforms.calendar import Calendar
from streamae.transforms.inputs import Inputs
from streamae.types import NO_TIMESTAMP, Floats


def columns(times: list[int], zone: str = "UTC") -> Floats:
    calendar = Calendar(DetectorConfig(calendar=True, time_zone=zone))
    return calendar.apply(Inputs.of(np.zeros((len(times), 1), np.float32), np.array(times)))


def milliseconds(text: str, zone: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("day", ["2024-01-15", "2024-07-15"])
def test_columns_are_local_time_and_day(zone: str, day: str) -> None:
    found = columns([milliseconds(f"{day}T{time}", zone) for time in ("00:00", "06:00")], zone)
    root = np.sqrt(2)
    midnight_on_monday = [0, root, 0, root]
    np.testing.assert_allclose(found[0], midnight_on_monday, atol=1e-6)
    np.testing.assert_allclose(found[1], [root, 0, 0, root], atol=1e-6)


def test_offsets_follow_the_clocks() -> None:
    # On 31 March 2024 clocks in Berlin went from 2:00 to 3:00, which was 1:00 UTC.
    times = [milliseconds(f"2024-03-31T{time}", "UTC") for time in ("00:59", "01:00", "01:01")]
    hours = [np.arctan2(*row[:2]) * 12 / np.pi for row in columns(times, "Europe/Berlin")]
    np.testing.assert_allclose(hours, [1 + 59 / 60, 3, 3 + 1 / 60], atol=1e-5)


def test_each_circle_has_mean_0_and_variance_1() -> None:
    found = columns([minute * 60_000 for minute in range(7 * 24 * 60)]).astype(np.float64)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.var(0), 1, atol=1e-4)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_no_event_time_is_missing(zone: str) -> None:
    found = columns([0, NO_TIMESTAMP, 86_400_000], zone)
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False]


def test_times_beyond_any_calendar_are_missing() -> None:
    extremes = [2**63 - 1, -(2**63), 253_402_300_800_000]
    found = columns([0, *extremes], "Europe/Berlin")
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True, True]
    assert np.isfinite(columns(extremes)).all()


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    times = np.random.default_rng(0).integers(2**41, size=300).tolist()
    together = columns(times, "Europe/Berlin")
    apart = [columns([time], "Europe/Berlin")[0] for time in times]
    assert together.tobytes() == np.stack(apart).tobytes()
