"""Other people's streaming detectors: each scores a row of x[n, d] before it learns the row.

They have no notion of a missing value, so the last one seen is carried forward. Hyperparameters are
those of each package's own documentation.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from river import anomaly, base, neighbors, preprocessing

from streamae.types import Doubles, Floats
from tests.benchmarks import quality

SEED = 0


class Peer(NamedTuple):
    scorer: Callable[[Floats], Floats | Doubles]
    rows: int = quality.ROWS
    """Rows of a set it is given; slow ones get fewer."""
    package: str | None = None
    """What has to be installed for it besides the dependencies of the tests."""


def half_space_trees(x: Floats) -> Doubles:
    """Tan, Ting and Liu (2011), behind the scaling to [0, 1] it asks for."""
    return _river(preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=SEED), x)


def one_class_svm(x: Floats) -> Doubles:
    """Linear one-class SVM by stochastic gradient descent."""
    return _river(preprocessing.StandardScaler() | anomaly.OneClassSVM(nu=0.2), x)


def local_outlier_factor(x: Floats) -> Doubles:
    """Breunig et al. (2000) on a window of 100 rows; the default of 1,000 gives 30 rows/s."""
    window = neighbors.LazySearch(window_size=100)
    return _river(preprocessing.StandardScaler() | anomaly.LocalOutlierFactor(10, window), x)


def autoencoder(x: Floats) -> Doubles:
    """What `deep_river.anomaly.Autoencoder` does with the module and step of its documentation.

    Scaled to [0, 1], three latents, one step of SGD on the mean square error of each row. The
    package itself (0.3.4) needs a torch and a river older than streamae does.
    """
    torch.manual_seed(SEED)
    d = x.shape[1]
    module = torch.nn.Sequential(
        torch.nn.Linear(d, 3), torch.nn.LeakyReLU(), torch.nn.Linear(3, d), torch.nn.Sigmoid()
    )
    sgd = torch.optim.SGD(module.parameters(), lr=0.005)
    scaler, scores = preprocessing.MinMaxScaler(), np.empty(len(x))
    for i, row in enumerate(_records(x)):
        before = torch.tensor([list(scaler.transform_one(row).values())])
        with torch.inference_mode():
            scores[i] = torch.nn.functional.mse_loss(module(before), before).item()
        scaler.learn_one(row)
        after = torch.tensor([list(scaler.transform_one(row).values())])
        sgd.zero_grad()
        torch.nn.functional.mse_loss(module(after), after).backward()  # type: ignore[no-untyped-call]
        sgd.step()
    return scores


def xstream(x: Floats) -> Doubles:
    """Manzoor, Lamba and Akoglu (2018)."""
    return _pysad("xStream", x)


def loda(x: Floats) -> Doubles:
    """Pevny (2016)."""
    return _pysad("LODA", x)


def kitnet(x: Floats) -> Doubles:
    """Mirsky et al. (2018); its map and its autoencoders are learnt from 256 rows each."""
    return _pysad("KitNet", x, grace_feature_mapping=256, grace_anomaly_detector=256)


PEERS: dict[str, Peer] = {
    "streamae": Peer(quality.streamae),
    "running Mahalanobis": Peer(quality.mahalanobis),
    "running z-score": Peer(quality.z_score),
    "river HalfSpaceTrees": Peer(half_space_trees),
    "river OneClassSVM": Peer(one_class_svm),
    "river LocalOutlierFactor": Peer(local_outlier_factor, 1_000),
    "deep-river's autoencoder": Peer(autoencoder, 2_000),
    "pysad xStream": Peer(xstream, 2_000, "pysad"),
    "pysad LODA": Peer(loda, package="pysad"),
    "pysad KitNet": Peer(kitnet, 2_000, "pysad"),
}


def _river(model: base.AnomalyDetector, x: Floats) -> Doubles:
    scores = np.empty(len(x))
    for i, row in enumerate(_records(x)):
        scores[i] = model.score_one(row)
        model.learn_one(row)
    return scores


def _pysad(name: str, x: Floats, **parameters: int) -> Doubles:
    models: Any = import_module("pysad.models")
    model = getattr(models, name)(random_state=SEED, **parameters)
    scores = np.zeros(len(x))
    for i, row in enumerate(_filled(x)):
        if i:  # The models take shape from the first row.
            scores[i] = model.score_partial(row)
        model.fit_partial(row)
    return scores


def _records(x: Floats) -> Iterator[dict[str, float]]:
    names = [f"x{j}" for j in range(x.shape[1])]
    for row in _filled(x):
        yield dict(zip(names, row.tolist(), strict=True))


def _filled(x: Floats) -> Iterator[Doubles]:
    """Yield the rows with the last value seen, or 0, where one is missing."""
    seen = np.zeros(x.shape[1])
    for row in x:
        seen = np.where(np.isnan(row), seen, row)
        yield seen
