import numpy as np
import pytest

from streamae.autoencoders import StackedDenoisingAutoencoder
from streamae.autoencoders.stacked import Augment
from streamae.numerics.seeds import generator
from streamae.types import Floats
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


def shifted(batch: Floats, generator: np.random.Generator) -> Floats:
    """Return images of 8 x 8 pixels, all moved by the same pixel or none in each direction."""
    down, right = generator.integers(-1, 2, 2).tolist()
    return np.roll(batch.reshape(-1, 8, 8), (down, right), (1, 2)).reshape(-1, 64)


def test_variations_are_drawn_anew_for_each_batch_and_alike_each_time() -> None:
    seen: list[Floats] = []

    def noted(batch: Floats, generator: np.random.Generator) -> Floats:
        seen.append(shifted(batch, generator))
        return seen[-1]

    x, y = np.tile(DIGITS.x[:1], (64, 1)), np.tile(DIGITS.y[:1], 64)
    one, other = (
        StackedDenoisingAutoencoder(n_latents=8).fine_tune(x, y, 4, 32, noted) for _ in range(2)
    )
    assert len(seen) == 16
    assert len({batch.tobytes() for batch in seen[:8]}) > 3
    np.testing.assert_array_equal(np.stack(seen[:8]), np.stack(seen[8:]))
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_variations_are_learnt() -> None:
    """Digits moved by a pixel, after digits as they are and after moved ones."""
    moved = np.roll(DIGITS.x_test.reshape(-1, 8, 8), (1, 1), (1, 2)).reshape(-1, 64)

    def error(augment: Augment | None) -> float:
        model = StackedDenoisingAutoencoder(n_latents=64)
        model.fine_tune(DIGITS.x, DIGITS.y, 30, 32, augment)
        return float((model.predict(moved) != DIGITS.y_test).mean())

    assert error(shifted) < 0.7 * error(None)


def test_tuning_again_is_another_cycle() -> None:
    once, again = (StackedDenoisingAutoencoder(n_latents=8) for _ in range(2))
    once.fine_tune(DIGITS.x[:96], DIGITS.y[:96], n_epochs=2, batch_size=32)
    for _ in range(2):
        again.fine_tune(DIGITS.x[:96], DIGITS.y[:96], n_epochs=1, batch_size=32)
    assert once._n_batches == again._n_batches == 6
    assert not np.array_equal(once.weights[0], again.weights[0])


@pytest.mark.parametrize(
    ("y", "message"), [([1, 2, 3], "3"), ([1, 10], "0 to 9"), ([-1, 1], "0 to 9")]
)
def test_classes_are_checked(y: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StackedDenoisingAutoencoder().fine_tune(DIGITS.x[:2], y)


@pytest.mark.parametrize(
    "wrong", [{"activation": "cubic"}, {"corruption": ()}, {"corruption": (1.0,)}]
)
def test_hyperparameters_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cubic|corruption"):
        StackedDenoisingAutoencoder(**wrong)
