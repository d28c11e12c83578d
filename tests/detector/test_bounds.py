"""Whatever value a key may have, every output stays a number."""

from collections.abc import Iterator
from typing import get_args

import msgspec
import numpy as np
import pytest
from msgspec.inspect import FloatType, Metadata, StructType, UnionType, type_info

from streamae.config import DetectorConfig
from streamae.config.models import ModelName
from streamae.detector import Detector
from streamae.types import Floats
from tests.checks import assert_finite

BLOCK = 64
RIDGES = ("ridge", "covariance_ridge")


def collinear() -> Floats:
    """Return [n, 8] of rank 2 but for one constant and a few wild rows, two features being one."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((16 * BLOCK, 2)) @ rng.standard_normal((2, 8))
    x[:, 5], x[:, 6] = x[:, 4], 3.0
    x[::37] *= 30.0
    return x.astype(np.float32)


def ends(key: str) -> Iterator[float]:
    """Yield the least and the greatest value that a number may have; nothing for other keys."""
    section = type_info(DetectorConfig)
    assert isinstance(section, StructType)
    (kind,) = [field.type for field in section.fields if field.name == key]
    kind = kind.type if isinstance(kind, Metadata) else kind
    for one in kind.types if isinstance(kind, UnionType) else (kind,):
        if isinstance(one, FloatType):
            if one.ge is not None:
                yield one.ge
            if one.gt is not None:
                yield float(np.nextafter(one.gt, np.inf))
            if one.le is not None:
                yield one.le
            if one.lt is not None:
                yield float(np.nextafter(one.lt, -np.inf))


@pytest.mark.slow
@pytest.mark.parametrize("model", get_args(ModelName))
def test_keys_at_the_ends_of_their_range(model: ModelName) -> None:
    base = DetectorConfig(
        model=model, block_size=BLOCK, n_latents=16, warmup_records=BLOCK, device="cpu"
    )
    tried = 0
    for key in (*base.hyperparameters, *RIDGES):
        for value in ends(key):
            config = msgspec.structs.replace(base, **{key: value})
            assert_finite(Detector(config, 8, "t/0"), collinear())
            tried += 1
    assert tried >= 2 * len(RIDGES)


def test_features_that_are_one_and_hardly_a_ridge() -> None:
    config = DetectorConfig(
        block_size=BLOCK, n_latents=16, ridge=1e-6, covariance_ridge=1e-6, device="cpu"
    )
    x = np.random.default_rng(0).standard_normal((4 * BLOCK, 1)) * np.arange(1, 301)
    assert_finite(Detector(config, 300, "t/0"), x.astype(np.float32))
