import numpy as np
import pytest

from streamae.metrics.codes import N_RECENT, RecentCodes, principal_plane, shown

RNG = np.random.default_rng(0)
FLAT = (RNG.normal(size=(60, 2)) * [5.0, 2.0] @ RNG.normal(size=(2, 20)) + 7.0).astype(np.float32)


def test_a_plane_is_shown_whole() -> None:
    plane = principal_plane(FLAT)
    assert plane is not None
    assert plane.points.shape == (60, 2)
    assert plane.variance == pytest.approx(1.0)
    apart, shown_apart = (
        np.linalg.norm(points[:, None] - points[None], axis=2) for points in (FLAT, plane.points)
    )
    np.testing.assert_allclose(shown_apart, apart, atol=1e-3)


def test_components_are_those_of_the_covariance() -> None:
    codes = RNG.normal(size=(40, 9)).astype(np.float32)
    plane = principal_plane(codes)
    assert plane is not None
    variances = np.linalg.eigvalsh(np.cov(codes.T, bias=True))[::-1]
    np.testing.assert_allclose(plane.points.var(axis=0), variances[:2], rtol=1e-5)
    assert plane.variance == pytest.approx(variances[:2].sum() / variances.sum(), rel=1e-5)


def test_one_more_record_does_not_flip_the_view() -> None:
    before, after = principal_plane(FLAT[:-1]), principal_plane(FLAT)
    assert before is not None
    assert after is not None
    for axis in (0, 1):
        assert np.corrcoef(before.points[:, axis], after.points[:-1, axis])[0, 1] > 0.99


@pytest.mark.parametrize("codes", [FLAT[:0], FLAT[:2], np.ones((9, 4), np.float32)])
def test_what_has_no_plane(codes: np.ndarray) -> None:
    assert principal_plane(codes) is None
    assert shown(codes, np.zeros(len(codes), bool)) is None


def test_the_last_codes_are_remembered() -> None:
    recent = RecentCodes()
    codes = np.arange(600, dtype=np.float32).reshape(300, 2)
    for start in range(0, 300, 100):
        recent.add(codes[start : start + 100], codes[start : start + 100, 0] > 590)
    kept, flagged = recent.last()
    np.testing.assert_array_equal(kept, codes[-N_RECENT:])
    assert flagged.tolist() == [False] * (N_RECENT - 4) + [True] * 4
