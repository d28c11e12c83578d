import pytest

from streamae.config import DetectorConfig


@pytest.mark.parametrize(("quality", "effort"), [("fast", (64, 8)), ("high", (256, 1))])
def test_quality_sets_units_and_interval(quality: str, effort: tuple[int, int]) -> None:
    assert DetectorConfig(quality=quality).effort == effort  # type: ignore[arg-type]


def test_what_is_set_beside_quality_counts() -> None:
    assert DetectorConfig().effort == (128, 4)
    assert DetectorConfig(quality="high", n_latents=32).effort == (32, 1)
    assert DetectorConfig(autoencoder_interval=1).effort == (128, 1)
