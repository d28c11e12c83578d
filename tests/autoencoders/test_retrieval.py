import numpy as np
import pytest

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
