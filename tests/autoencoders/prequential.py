"""An autoencoder on a stream: every batch is scored before it is learnt."""

import numpy as np
import torch

from streamae.autoencoders.base import Autoencoder
from streamae.detector.moments import moments
from streamae.detector.scaler import Scaler
from streamae.types import Floats

MEMORY = 100_000
"""Records the standardisation looks back over."""


def prequential_scores(model: Autoencoder, x: Floats, batch_size: int = 256) -> Floats:
    """Return the scores [n] of the stream x[n, d], standardised by what came before.

    The first batch, which no model has seen anything before, scores NaN. NaN in x is missing.
    """
    scaler = Scaler(x.shape[1], MEMORY)
    scores = np.full(len(x), np.nan, np.float32)
    for start in range(0, len(x), batch_size):
        batch = x[start : start + batch_size]
        if start == 0:
            scaler.fit(batch)
        z = scaler.transform(batch)
        if start > 0:
            scores[start : start + batch_size] = model.score(z.numpy())
        model.partial_fit(z.numpy())
        if start > 0:
            missing = torch.isnan(z)
            scaler.update(batch, moments(z.nan_to_num(nan=0.0), missing, np.ones(len(z))))
    return scores
