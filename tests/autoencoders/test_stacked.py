import numpy as np
import pytest

from streamae.autoencoders import StackedDenoisingAutoencoder
from streamae.numerics.seeds import generator
from tests.autoencoders import digits

DIGITS = digits.small()


@pytest.fixture(scope="module")
def pretrained() -> StackedDenoisingAutoencoder:
    return StackedDenoisingAutoencoder(n_latents=200).fit(DIGITS.x, n_epochs=20, batch_size=32)


@pytest.mark.slow
def test_pretraining_passes_the_digits_through_three_layers(
    pretrained: StackedDenoisingAutoencoder,
) -> None:
    residual = pretrained.reconstruct(DIGITS.x_test) - DIGITS.x_test
    assert np.square(residual).mean() < 0.5 * DIGITS.x_test.var(axis=0).mean()


def test_layers_are_learnt_one_after_the_other() -> None:
    """The layers below do not change while one learns, and neither does the head."""
    x = DIGITS.x[:200]
    model = StackedDenoisingAutoencoder(n_latents=8).fit(x, 1, 50)
    before = model.state_dict()
    model._learn_layer(1, model._batch(x), generator(0, "t/0", 0, "batch"))
    after = model.state_dict()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert {name for name in changed if not name.startswith("adam") and "." in name} == {
        f"{side}.1.{part}" for side in ("up", "down") for part in ("weight", "bias")
    }


@pytest.mark.slow
def test_fine_tuning_recognises_digits(pretrained: StackedDenoisingAutoencoder) -> None:
    model = StackedDenoisingAutoencoder(n_latents=200)
    model.load_state_dict(pretrained.state_dict())
    model.fine_tune(DIGITS.x, DIGITS.y, n_epochs=30, batch_size=32)
    error = float((model.predict(DIGITS.x_test) != DIGITS.y_test).mean())
    assert error <= 0.03
    np.testing.assert_allclose(model.predict_proba(DIGITS.x_test).sum(1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("y", "message"), [([1, 2, 3], "3"), ([1, 10], "0 to 9"), ([-1, 1], "0 to 9")]
)
def test_classes_are_checked(y: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StackedDenoisingAutoencoder().fine_tune(DIGITS.x[:2], y)


@pytest.mark.parametrize("wrong", [{"activation": "cubic"}, {"corruption": ()}])
def test_hyperparameters_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cubic|corruption"):
        StackedDenoisingAutoencoder(**wrong)
