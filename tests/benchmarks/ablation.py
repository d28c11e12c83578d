"""What each part of the default detector earns: the same streams with that part switched off.

The parts are no keys of the configuration; they are replaced here, for the time of a run.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
import torch
from torch import Tensor

from streamae.autoencoders.denoising_sparse import DenoisingSparseAutoencoder
from streamae.config import Config, DetectorConfig
from streamae.detector import energies, guard, whitener
from streamae.detector.detector import Detector
from streamae.detector.drift import DriftMonitor
from streamae.detector.histograms import MarginalHistograms
from streamae.detector.neighbours import Neighbours
from streamae.detector.persistence import Persistence
from streamae.detector.prominence import Prominence
from streamae.detector.whitener import Whitener
from streamae.evaluate import UNJUDGED_ROWS, judge
from streamae.labelled import LabelledStream
from streamae.numerics.ranking import average_precision, roc_auc
from streamae.types import Doubles
from tests.benchmarks.quality import SHELVES, public_sets, shelf_with_data

SEEDS = (0, 1, 2)
CLEAR = 0.01
"""A difference of ROC-AUC or average precision that counts as won or lost."""

Switch = Callable[[], AbstractContextManager[Any]]


def run() -> list[str]:
    """Return a Markdown table, a line per part that is switched off, as means over the seeds.

    The whole detector wins a set, or loses it, by more than `CLEAR` of the figure.
    """
    shelf = shelf_with_data()
    if shelf is None:
        return [f"ablation: skipped, no public sets in STREAMAE_DATA or {SHELVES[0]}"]
    sets = dict(public_sets(shelf))
    whole = figures(sets, nullcontext)
    modes = list(sets).index("syn_modes")
    head = ["switched off", "ROC-AUC", "won : lost", "AP", "won : lost", "`syn_modes` ROC-AUC"]
    lines = [_row(head), "| --- " * len(head) + "|"]
    for name, switch in {"nothing": nullcontext, **PARTS}.items():
        part = whole if name == "nothing" else figures(sets, switch)
        lines.append(_row([name, *_cells(part, whole), f"{part[modes, 0]:.3f}"]))
        print(lines[-1], flush=True)
    return lines


@contextmanager
def switched_off(switch: Switch, config: DetectorConfig) -> Iterator[DetectorConfig]:
    """Do without a part of the detector; `config` as it then is."""
    with switch() as replaced:
        keys = replaced if isinstance(replaced, dict) else {}
        yield msgspec.structs.replace(config, **keys)


def figures(sets: Mapping[str, LabelledStream], switch: Switch) -> Doubles:
    """Return ROC-AUC and average precision [n_sets, 2], the means over the seeds."""
    with switched_off(switch, DetectorConfig()) as config:
        return np.array(
            [
                np.mean(
                    [_judged(stream, msgspec.structs.replace(config, seed=seed)) for seed in SEEDS],
                    axis=0,
                )
                for stream in sets.values()
            ]
        )


def _judged(stream: LabelledStream, config: DetectorConfig) -> tuple[float | None, float | None]:
    verdicts = judge(stream.x, Config(detector=config), stream="benchmark/0")
    scores, labels = verdicts.score[UNJUDGED_ROWS:], stream.anomalous[UNJUDGED_ROWS:]
    return roc_auc(scores, labels), average_precision(scores, labels)


def _cells(part: Doubles, whole: Doubles) -> list[str]:
    """Return means, and in how many sets the whole detector is clearly better and worse."""
    cells = []
    for column in range(2):
        gain = whole[:, column] - part[:, column]
        pairs = f"{(gain > CLEAR).sum()} : {(gain < -CLEAR).sum()}" if part is not whole else ""
        cells += [f"{part[:, column].mean():.3f}", pairs]
    return cells


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


@contextmanager
def _without_autoencoder() -> Iterator[None]:
    """Judge by z alone: whitened, and feature by feature."""

    def votes(_: float, independence: float) -> Doubles:
        return np.array([1.0, independence, 0.0]).clip(energies.SMALLEST)

    def row_weights(linear_energy: Doubles, _: Doubles) -> Doubles:
        return weights(linear_energy, linear_energy)

    weights = guard.row_weights
    with (
        patch.object(energies, "votes", votes),
        patch.object(guard, "row_weights", row_weights),
        _no_neighbours(),
    ):
        yield


def _no_neighbours() -> AbstractContextManager[Any]:
    return patch.object(Neighbours, "distance", lambda _, recons: torch.zeros_like(recons[:, 0]))


@contextmanager
def _linear_autoencoder() -> Iterator[None]:
    """Denoise by the best linear map: the code says nothing."""

    def recons(self: DenoisingSparseAutoencoder, z: Tensor) -> Tensor:
        return torch.mm(self.network.inputs(z), self.linear_decoder)

    with (
        patch.object(DenoisingSparseAutoencoder, "recons", recons),
        patch.object(DenoisingSparseAutoencoder, "nats", 0.0),
    ):
        yield


@contextmanager
def _voting_with(**fixed: float) -> Iterator[None]:
    """Give `nats` or `independence` a value of its own in the votes."""
    votes = energies.votes

    def changed(nats: float, independence: float) -> Doubles:
        return votes(fixed.get("nats", nats), fixed.get("independence", independence))

    with patch.object(energies, "votes", changed):
        yield


@contextmanager
def _residual_by_feature() -> Iterator[None]:
    """Judge each feature's residual by its own variance: no covariance."""

    class Diagonal(Whitener):
        def refresh(self) -> None:
            variance = self.covariance.diagonal() + self._ridge
            self._factor = torch.diag(variance.rsqrt()).float()

    init = Detector.__init__

    def changed(self: Detector, *arguments: Any, **keys: Any) -> None:
        init(self, *arguments, **keys)
        self._residual.__class__ = Diagonal
        self._residual.refresh()

    with patch.object(Detector, "__init__", changed):
        yield


@contextmanager
def _squares() -> Iterator[None]:
    """Add squares as they are: normal distributions in place of Student's t."""

    def extremes(squares: Tensor) -> Tensor:
        return squares.sub(whitener.CLIP**2).relu_().sum(1)

    with (
        patch.object(energies, "student_t", np.positive),
        patch.object(energies, "coordinatewise", torch.clone),
        patch.object(energies, "extremes", extremes),
    ):
        yield


@contextmanager
def _equal_weights() -> Iterator[None]:
    def row_weights(linear_energy: Doubles, _: Doubles) -> Doubles:
        return np.ones_like(linear_energy)

    with patch.object(guard, "row_weights", row_weights):
        yield


@contextmanager
def _no_surprise() -> Iterator[None]:
    def surprise(_: MarginalHistograms, bins: Tensor, __: Tensor | None) -> Tensor:
        return torch.zeros(len(bins), device=bins.device)

    with patch.object(MarginalHistograms, "surprise", surprise):
        yield


@contextmanager
def _keys(**keys: Any) -> Iterator[dict[str, Any]]:
    """Set keys of the section `detector`."""
    yield keys


PARTS: dict[str, Switch] = {
    "autoencoder": _without_autoencoder,
    "its code; the best linear denoiser instead": _linear_autoencoder,
    "learning of its encoder, which stays as drawn": partial(
        patch.object, DenoisingSparseAutoencoder, "_descend", lambda *_: None
    ),
    "corruption of what it learns": partial(_keys, corruption_noise=0.0, corruption_masking=0.0),
    "covariance of its residual": _residual_by_feature,
    "short memory of that covariance": partial(_keys, residual_memory=DetectorConfig().memory),
    "votes of z, whitened and by feature": partial(_voting_with, nats=math.inf),
    "vote of z by feature": partial(_voting_with, independence=0.0),
    "outvoting by a better autoencoder": partial(_voting_with, nats=0.0),
    "distance from stored reconstructions": _no_neighbours,
    "prominence of one kind of evidence": partial(
        patch.object, Prominence, "of", lambda _, evidence, __: np.zeros(evidence.shape[1])
    ),
    "sum of extreme values": partial(
        patch.object, energies, "extremes", lambda single: torch.zeros_like(single[:, 0])
    ),
    "Student's t; squares instead": _squares,
    "rarity of single values": _no_surprise,
    "recent level": partial(patch.object, Persistence, "autocorrelation", 0.0),
    "weighing down of suspects": _equal_weights,
    "weighing down of suspects in the scale": partial(
        patch.object, guard, "at_least_half", np.ones_like
    ),
    "clipping in covariances": partial(patch.object, whitener, "CLIP", math.inf),
    "acceptance of drift": partial(patch.object, DriftMonitor, "update", lambda *_: None),
    "change of counters": partial(_keys, diff=()),
}
"""How to switch off each part; a dict that is entered holds keys of the section `detector`."""
