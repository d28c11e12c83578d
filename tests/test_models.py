"""Every autoencoder that `detector.model` chooses keeps the promises of the detector."""

from collections.abc import Callable
from typing import get_args

import msgspec
import numpy as np
import pytest
import torch
from river.datasets import Shuttle

from streamae.cli import main
from streamae.config import Config, DetectorConfig
from streamae.config.models import ModelName
from streamae.detector import Detector
from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from tests import checks
from tests.streams import PARTITION, config, keys, run, timestamps, values

N = 1000


@pytest.fixture(params=sorted(get_args(ModelName)))
def model(request: pytest.FixtureRequest) -> ModelName:
    name: ModelName = request.param
    return name


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return MemoryLog(values(N, bad_share=0.02), keys(N), timestamps(N))


def settings(model: ModelName) -> Config:
    """Return a configuration that learns every other block only, once its small memory is full."""
    detector = DetectorConfig(
        model=model,
        block_size=64,
        warmup_records=256,
        n_latents=16,
        autoencoder_memory=256,
        autoencoder_interval=2,
        device="cpu",
    )
    return msgspec.structs.replace(config(), detector=detector)


@pytest.mark.slow
@pytest.mark.parametrize("check", checks.CHECKS)
def test_contract(check: Callable[[checks.Make], None], model: ModelName) -> None:
    settings = DetectorConfig(model=model, n_latents=16, block_size=128, device="cpu")
    check(lambda n_features: Detector(settings, n_features, "topic/0"))


@pytest.mark.parametrize("size", [7, 256])
def test_polls_do_not_matter(log: MemoryLog, size: int, model: ModelName) -> None:
    whole, pieces = (Pipeline(settings(model), PARTITION, 0) for _ in range(2))
    expected, found = run(whole, log, N), run(pieces, log, size)
    assert sorted(found, key=lambda output: (output.channel, output.value or b"")) == sorted(
        expected, key=lambda output: (output.channel, output.value or b"")
    )
    assert any(output.channel == "alerts" for output in found)
    assert pieces.snapshot() == whole.snapshot()


@pytest.mark.parametrize("stop", [1, 100, 700])
def test_restarts_do_not_matter(log: MemoryLog, stop: int, model: ModelName) -> None:
    undisturbed, first = (Pipeline(settings(model), PARTITION, 0) for _ in range(2))
    expected = run(undisturbed, log, 250)
    run(first, log, 100, end=stop)
    second = Pipeline.restored(settings(model), PARTITION, first.snapshot())
    run(second, log, 50, end=stop)
    after = {output for output in run(second, log, 33) if output.channel == "scores"}
    assert after
    assert after <= set(expected)
    assert second.snapshot() == undisturbed.snapshot()


def test_seed_and_stream_change_it(model: ModelName) -> None:
    x = checks.stream(512)
    states = [
        checks.trained(lambda d, k=k: Detector(DetectorConfig(model=model, seed=k[0]), d, k[1]), x)
        for k in ((0, "t/0"), (1, "t/0"), (0, "t/1"))
    ]
    scores = [detector.score(x[:256], 256).score for detector in states]
    assert len({score.tobytes() for score in scores}) == 3


@pytest.mark.slow
def test_shuttle(model: ModelName, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(Shuttle().path), "--label", "anomaly", "--json"]
    assert main([*arguments, "--set", f"detector.model={model}"]) == 0
    report = msgspec.json.decode(capsys.readouterr().out)
    assert report["roc_auc"] >= 0.95
    assert report["average_precision"] >= 0.75


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu(model: ModelName) -> None:
    x = checks.stream(4000)
    x[::97, 1] = np.nan
    cpu, cuda = (
        checks.feed(Detector(DetectorConfig(model=model, device=device), x.shape[1], "t/0"), x)
        for device in ("cpu", "cuda")
    )
    for on_cpu, on_cuda in list(zip(cpu, cuda, strict=True))[1:]:
        ranks = [np.argsort(np.argsort(answer.score)) for answer in (on_cpu, on_cuda)]
        assert np.corrcoef(*ranks)[0, 1] > 0.99
