import numpy as np

from streamae.autoencoders import ShallowAutoencoder, prequential_scores
from tests.streams import vectors

X = vectors(1000)


def test_the_first_batch_has_no_score() -> None:
    scores = prequential_scores(ShallowAutoencoder(), X, batch_size=150)
    assert np.isnan(scores[:150]).all()
    assert np.isfinite(scores[150:]).all()


def test_a_score_depends_on_earlier_batches_and_its_own_record_alone() -> None:
    changed = X.copy()
    changed[451:] *= 3.0
    before, after = (
        prequential_scores(ShallowAutoencoder(), x, batch_size=150) for x in (X, changed)
    )
    np.testing.assert_allclose(before[150:451], after[150:451], rtol=1e-5)
    assert not np.isclose(before[600:], after[600:]).any()


def test_units_of_the_features_do_not_matter() -> None:
    rescaled = X * np.float32([1, 1e3, 1e-3, 1, 5, 1]) + np.float32([0, 50, 0, 0, 7, 0])
    scores = prequential_scores(ShallowAutoencoder(), X)
    np.testing.assert_allclose(
        prequential_scores(ShallowAutoencoder(), rescaled), scores, rtol=0.02, atol=1e-3
    )


def test_missing_values() -> None:
    holes = X.copy()
    holes[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    assert np.isfinite(prequential_scores(ShallowAutoencoder(), holes)[256:]).all()
