import json
import math

import pytest

from streamae.config import Budget, Duration, Secret, Size, parse_budget


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("5s", 5),
        ("1.5 m", 90),
        ("2h", 7200),
        ("1d", 86400),
        ("7", 7),
        (0, 0),
        (0.25, 0.25),
    ],
)
def test_duration(written: object, seconds: float) -> None:
    assert Duration.parse(written) == seconds


@pytest.mark.parametrize("written", ["", "s", "5 parsecs", "-1s", "5MB", "1h30m", -1, math.inf])
def test_no_duration(written: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller says what was expected.
        Duration.parse(written)


@pytest.mark.parametrize("written", [True, None, [5], "nan", math.nan, 10**400])
def test_no_quantity(written: object) -> None:
    for quantity in (Duration, Size):
        with pytest.raises(ValueError):  # noqa: PT011 - the caller says what was expected.
            quantity.parse(written)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0s"),
        (0.0005, "0.0005s"),
        (0.05, "50ms"),
        (1, "1s"),
        (1.5, "1500ms"),
        (90, "90s"),
        (300, "5m"),
        (7200, "2h"),
        (172800, "2d"),
    ],
)
def test_duration_as_text(seconds: float, written: str) -> None:
    assert str(Duration(seconds)) == written
    assert Duration.parse(written) == seconds


@pytest.mark.parametrize(
    ("written", "n_bytes"),
    [("0", 0), ("64KiB", 65536), ("1.5 MiB", 1572864), ("1GB", 10**9), ("3kB", 3000), (17, 17)],
)
def test_size(written: object, n_bytes: int) -> None:
    assert Size.parse(written) == n_bytes


@pytest.mark.parametrize("written", ["", "1.5", "1.0001KiB", "-1", "5s", "64kib", -1, 1.5])
def test_no_size(written: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller says what was expected.
        Size.parse(written)


@pytest.mark.parametrize(
    ("n_bytes", "written"), [(0, "0"), (1000, "1000"), (1 << 20, "1MiB"), (3 << 30, "3GiB")]
)
def test_size_as_text(n_bytes: int, written: str) -> None:
    assert str(Size(n_bytes)) == written
    assert Size.parse(written) == n_bytes


def test_quantities_are_numbers() -> None:
    assert json.dumps([Duration(1.5), Size(3)]) == "[1.5, 3]"


def test_secret_hides_from_repr_only() -> None:
    secret = Secret.parse("hunter2")
    assert str(secret) + "!" == "hunter2!"
    assert "hunter2" not in repr([secret])
    with pytest.raises(ValueError, match="not text"):
        Secret.parse(5)


@pytest.mark.parametrize(
    ("written", "budget"),
    [
        (0.001, Budget(share=0.001)),
        ("1e-3", Budget(share=0.001)),
        (0.5, Budget(share=0.5)),
        ("20 per day", Budget(count=20, per_ms=86_400_000)),
        (" 0.5 per  hours ", Budget(count=0.5, per_ms=3_600_000)),
        ("1 per week", Budget(count=1, per_ms=604_800_000)),
        ("3 per minute", Budget(count=3, per_ms=60_000)),
    ],
)
def test_budget(written: float | str, budget: Budget) -> None:
    assert parse_budget(written) == budget


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (0, "more than 0"),
        (0.51, "at most 0.5"),
        (-0.1, "more than 0"),
        ("nan", "more than 0"),
        ("inf", "at most 0.5"),
        ("", "expected a share"),
        ("20", "at most 0.5"),
        ("per day", "expected a share"),
        ("-1 per day", "expected a share"),
        ("0 per day", "count must be more than 0"),
        ("1 per year", "unknown period 'year'"),
    ],
)
def test_no_budget(written: float | str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_budget(written)
