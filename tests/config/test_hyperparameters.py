from typing import Any, get_args

import pytest

from streamae.autoencoders import MODELS as CLASSES
from streamae.config import DetectorConfig
from streamae.config.models import MODELS, ModelName


def effort(**keys: Any) -> tuple[int, int]:
    config = DetectorConfig(**keys)
    return config.hyperparameters["n_latents"], config.learning_interval


def test_quality_sets_units_and_interval() -> None:
    assert [effort(quality=quality) for quality in ("fast", "high")] == [(128, 16), (512, 2)]


def test_what_is_set_beside_quality_counts() -> None:
    assert effort() == (256, 8)
    assert effort(quality="high", n_latents=32) == (32, 2)
    assert effort(autoencoder_interval=1) == (256, 1)
    assert effort(quality="high", model="k_sparse") == (64, 2)


def test_every_model_has_a_name_a_class_and_keys() -> None:
    assert set(get_args(ModelName)) == set(MODELS) == {*CLASSES, "denoising_sparse"}


@pytest.mark.parametrize("model", get_args(ModelName))
def test_values_of_a_model_are_in_range(model: ModelName) -> None:
    keys = DetectorConfig(model=model).hyperparameters
    assert DetectorConfig(model=model, **keys).hyperparameters == keys
    assert not list(DetectorConfig(model=model, **keys).violations())


@pytest.mark.parametrize("model", get_args(ModelName))
def test_keys_of_other_models_are_named(model: ModelName) -> None:
    keys = {key: value for other in MODELS.values() for key, value in other.defaults.items()}
    keys["activation"] = "sigmoid"
    found = dict(DetectorConfig(model=model, **keys).violations())
    assert set(found) == keys.keys() - MODELS[model].defaults.keys()
    assert all(f"`model: {model}`" in text for text in found.values())
