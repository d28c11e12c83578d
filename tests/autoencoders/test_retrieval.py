from pathlib import Path

import numpy as np
import pytest

from streamae import Detector
from streamae.autoencoders import NearestCodes, ShallowAutoencoder
from tests.streams import vectors

X = vectors(200)


def test_nearest_are_those_of_a_search_through_all() -> None:
    model = ShallowAutoencoder(n_latents=5).fit(X, 5, 50)
    stored = NearestCodes(model)
    stored.add(X[:100])
    stored.add(X[100:150])
    assert len(stored) == 150
    places, distances = stored.nearest(X, k=3)
    codes = model.transform(X)
    apart = np.linalg.norm(codes[:, None] - codes[None, :150], axis=2)
    np.testing.assert_allclose(distances, np.sort(apart, axis=1)[:, :3], atol=1e-4)
    np.testing.assert_array_equal(places[:150, 0], np.arange(150))


@pytest.mark.parametrize("k", [0, 3])
def test_no_more_can_be_found_than_are_stored(k: int) -> None:
    stored = NearestCodes(ShallowAutoencoder().partial_fit(X))
    stored.add(X[:2])
    with pytest.raises(ValueError, match="k must lie"):
        stored.nearest(X, k)


def clusters(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Records [n, 5] of four kinds, and their kinds [n]."""
    rng = np.random.default_rng(seed)
    centres = 4.0 * np.random.default_rng(0).normal(size=(4, 5))
    kind = rng.integers(4, size=n)
    return centres[kind] + 0.3 * rng.normal(size=(n, 5)), kind


@pytest.mark.parametrize("model", ["denoising_sparse", "k_sparse", "variational"])
def test_a_detector_finds_the_records_that_are_alike(model: str, tmp_path: Path) -> None:
    detector = Detector(model=model, device="cpu")
    detector.learn(clusters(3_000, seed=1)[0])
    detector.save(tmp_path / "state")
    stored = NearestCodes(Detector.load(tmp_path / "state", device="cpu"))
    x, kind = clusters(200, seed=2)
    stored.add(x)
    asked, wanted = clusters(50, seed=3)
    places, _ = stored.nearest(asked, k=5)
    assert (kind[places] == wanted[:, None]).mean() > 0.99


def test_a_detector_fills_in_what_is_missing() -> None:
    detector = Detector(device="cpu")
    with pytest.raises(ValueError, match="256 records"):
        detector.transform(clusters(2, seed=1)[0])
    detector.learn(clusters(3_000, seed=1)[0])
    x, _ = clusters(100, seed=2)
    holes = x.copy()
    holes[:, 2] = np.nan
    recons = detector.reconstruct(holes)
    assert recons.shape == x.shape
    assert np.abs(recons[:, 2] - x[:, 2]).mean() < 0.5 * np.abs(x[:, 2] - x[:, 2].mean()).mean()
    assert detector.transform(holes).shape == (100, 256)
