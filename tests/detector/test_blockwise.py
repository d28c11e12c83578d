import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

from streamae.config import DetectorConfig
from streamae.detector import Detector
from streamae.detector.blockwise import BlockwiseDetector, config_of, numbered
from streamae.transforms import Inputs
from tests import checks

FEATURES = numbered(checks.N_FEATURES)
CONFIG = DetectorConfig(block_size=64, n_latents=16, warmup_records=128, device="cpu")


def whole_blocks(n_blocks: int) -> tuple[Detector, list[bytes]]:
    """The detector itself, block by block, and the bytes of its scores."""
    detector = Detector(CONFIG, checks.N_FEATURES, "topic/0")
    answers = checks.feed(detector, checks.stream(n_blocks * 64))
    return detector, [answer.score.tobytes() for answer in answers]


@pytest.mark.parametrize("size", [1, 5, 64, 100, 640])
def test_rows_in_any_number_are_whole_blocks(size: int) -> None:
    expected, answers = whole_blocks(10)
    x = checks.stream(640)
    blockwise = BlockwiseDetector(CONFIG, FEATURES, "topic/0")
    pieces = [blockwise.score_learn(Inputs.of(x[at : at + size])) for at in range(0, 640, size)]
    scores = np.concatenate([piece.score for piece in pieces])
    assert scores.tobytes() == b"".join(answers)
    assert np.concatenate([piece.warm for piece in pieces]).argmax() == 64 + 128
    checks.assert_same_state(blockwise.detector, expected)


def test_learning_does_not_need_scores() -> None:
    expected, _ = whole_blocks(10)
    blockwise = BlockwiseDetector(CONFIG, FEATURES, "topic/0")
    assert len(blockwise.learn(Inputs.of(checks.stream(640)))) == 10
    checks.assert_same_state(blockwise.detector, expected)


def test_score_is_what_the_rows_will_get_up_to_the_end_of_the_block() -> None:
    x = checks.stream(700)
    blockwise = BlockwiseDetector(CONFIG, FEATURES, "topic/0")
    blockwise.learn(Inputs.of(x[:600]))
    before = pickle.dumps(blockwise)
    scores = blockwise.score(Inputs.of(x[600:]))
    assert pickle.dumps(blockwise) == before
    learnt = blockwise.score_learn(Inputs.of(x[600:]))
    assert scores.score[:40].tobytes() == learnt.score[:40].tobytes()
    assert scores.p_value[:40].tobytes() == learnt.p_value[:40].tobytes()
    assert np.isfinite(scores.score).all()


def test_copies_are_equal_and_independent() -> None:
    x = checks.stream(700)
    blockwise = BlockwiseDetector(CONFIG, FEATURES, "topic/0")
    blockwise.learn(Inputs.of(x[:300]))
    twin = copy.deepcopy(blockwise)
    blockwise.learn(Inputs.of(x[300:]))
    assert twin.n_learnt == 300
    np.testing.assert_array_equal(twin.unfinished, x[256:300])
    twin.learn(Inputs.of(x[300:]))
    assert pickle.dumps(twin) == pickle.dumps(blockwise)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 5), np.float32), r"float32\[2, 5\]"),
        (np.zeros((2, 6)), "float64"),
        (np.zeros((64, 6), np.float32), "a whole block"),
    ],
)
def test_a_state_of_another_form(rows: np.ndarray, message: str) -> None:
    blockwise = BlockwiseDetector(CONFIG, FEATURES, "topic/0")
    state = blockwise.state_dict() | {"unfinished.x": rows}
    with pytest.raises(ValueError, match=message):
        blockwise.load_state_dict(state)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": "zero"}, "seed: expected a whole number of at least 0, got 'zero'"),
        ({"n_latents": 0}, "n_latents: expected a whole number from 1 to 8192 or null, got 0"),
        ({"calendar": "yes"}, "calendar: expected true or false, got 'yes'"),
        ({"ridge": float("inf")}, "ridge: expected a number of at least 1e-06, got inf"),
        ({"diff": [1]}, "diff: expected a list of text or auto, got [1]"),
        (
            {"quality": "hihg"},
            "quality: expected one of fast, default, high, got 'hihg'; did you mean 'high'?",
        ),
        ({"k": 3}, "k: not used with `model: denoising_sparse`, which has activation, "),
        ({"colour": 1}, "colour: unknown key (valid: block_size, seed, device, "),
        ({"blocksize": 1}, "blocksize: unknown key; did you mean 'block_size'? (valid: "),
    ],
)
def test_hyperparameters_are_checked_in_the_words_of_the_configuration(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        config_of(wrong)


def test_hyperparameters() -> None:
    assert config_of({"n_latents": 8}) == DetectorConfig(n_latents=8)
    assert config_of({"diff": ["a"]}) == DetectorConfig(diff=("a",))
    assert config_of({}) == DetectorConfig()


@pytest.mark.parametrize("name", ["timestamps_ms", "keys", "key_lengths"])
def test_rows_that_lack_their_times_or_keys_are_refused(name: str) -> None:
    blockwise = BlockwiseDetector(CONFIG, FEATURES, "topic/0")
    blockwise.learn(Inputs.of(checks.stream(10)))
    state = blockwise.state_dict()
    del state[f"unfinished.{name}"]
    with pytest.raises(ValueError, match=f"lacks 'unfinished.{name}'"):
        blockwise.load_state_dict(state)
