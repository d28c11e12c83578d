"""The promise, with transforms: outputs and state are a function of the log."""

import msgspec
import numpy as np
import pytest

from streamae.config import Config
from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from streamae.types import Output
from tests.streams import PARTITION, config
from tests.transforms.streams import as_log, counters

pytestmark = pytest.mark.slow

N = 1500
OPTIONS: list[dict[str, object]] = [
    {"diff": "auto"},
    {"diff": ("a", "b"), "max_keys": 2},
    {"calendar": True, "time_zone": "Europe/Berlin"},
    {"lag": 2, "max_keys": 2, "diff": ()},
    {"diff": "auto", "heavy_tails": ("a", "b"), "calendar": True, "lag": 3},
]


def settings(options: dict[str, object]) -> Config:
    base = config()
    detector = msgspec.structs.replace(base.detector, **options)
    return msgspec.structs.replace(base, detector=detector)


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    x, keys = counters(N)
    x[np.random.default_rng(5).random(x.shape) < 0.02] = np.nan
    x[::50, 1] += 30
    return as_log(x, keys)


def run(config: Config, log: MemoryLog, size: int, *, restart: bool) -> tuple[list[Output], bytes]:
    """Process the log in polls of `size`, from a snapshot after each of them with `restart`."""
    pipeline, outputs = Pipeline(config, PARTITION, 0), list[Output]()
    while pipeline.position < N:
        done = pipeline.position
        if restart:
            pipeline = Pipeline.restored(config, PARTITION, pipeline.snapshot())
            if pipeline.position < done:
                pipeline.process(log.read(PARTITION, pipeline.position, done - pipeline.position))
        batch = log.read(PARTITION, pipeline.position, size)
        outputs += pipeline.process(batch).outputs
    return outputs, pipeline.snapshot()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("size", "restart"), [(1, False), (7, False), (256, False), (97, True), (256, True)]
)
def test_outputs_and_state_depend_on_neither_polls_nor_restarts(
    log: MemoryLog, options: dict[str, object], size: int, restart: bool
) -> None:
    chosen = settings(options)
    expected, state = run(chosen, log, 5000, restart=False)
    found, same = run(chosen, log, size, restart=restart)
    for channel in ("scores", "alerts"):
        picked = [[o for o in outputs if o.channel == channel] for outputs in (found, expected)]
        assert picked[0] == picked[1]
        assert picked[1]
    assert same == state
