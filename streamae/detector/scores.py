"""What scoring a block gives, and what learning it reports."""

from typing import NamedTuple

from torch import Tensor

from streamae.detector.drift import Drift
from streamae.types import Doubles, Floats

KINDS = ("covariance", "values", "residual", "rarity", "distance")
"""Kinds of evidence, see `Evidence.kinds`."""


class Evidence(NamedTuple):
    """What a block's scores were made of; `learn` starts from it."""

    z: Tensor
    """[b, k], context and features, standardised; 0 where missing."""
    missing: Tensor | None
    """[b, k]; None when nothing is missing."""
    imputed: Tensor
    """[b, k], z with missing values as the autoencoder and the covariance expect them."""
    recons: Tensor
    """[b, d], the reconstruction of the features, missing values being imputed."""
    residual: Tensor
    """[b, d], the features minus that; imputed where they are missing."""
    linear_energy: Doubles
    """[b], of the features under their covariance, given the context; usually about 1."""
    residual_energy: Doubles
    """[b], of the residual under its own."""
    energy: Doubles
    """[b], both and that of z feature by feature, on the scale of a Student t log-likelihood, and
    that of extreme values."""
    levels: Doubles
    """[b], the recent level of `energy`."""
    kinds: Doubles
    """[5, b], the Student t energies of z whitened, of z by feature and of the residual, the mean
    of -log p over the bins of the record's values, and the distance of its reconstruction from
    those of earlier records."""
    prominence: Doubles
    """[b], how far the record stands out in one of the kinds."""
    bins: Tensor
    """[b, n_histograms], flat bin indices."""

    @property
    def surprise(self) -> Doubles:
        """[b], the rarity among the kinds."""
        surprise: Doubles = self.kinds[KINDS.index("rarity")]
        return surprise

    @property
    def unobserved(self) -> Tensor | None:
        """[b, d], which features are missing."""
        return None if self.missing is None else self.missing[:, -self.residual.shape[1] :]


class Scores(NamedTuple):
    """Scores of a block's slots; those of slots that hold no record mean nothing."""

    score: Floats
    """[b], higher is more anomalous; NaN in the first block, which has no model yet."""
    p_value: Doubles
    """[b], share of earlier scores at least as high; 1 until warm."""
    evidence: Evidence | None
    """None in the first block."""

    @property
    def known(self) -> Evidence:
        """The evidence; raise ValueError in the first block."""
        if self.evidence is None:
            raise ValueError("the first block has no scores")
        return self.evidence


class Learned(NamedTuple):
    """What one block taught, for the metrics."""

    loss: float
    """Mean squared residual, imputed where a value is missing, in variances of the feature."""
    nats: float
    """How much better than the best linear denoiser the autoencoder predicts; 0 if it is not."""
    n_suspects: int
    """Records that counted less than half."""
    n_withheld: int
    """Records that later p-values are not compared with."""
    active_share: float
    """Share of latents active per record when the autoencoder last learnt."""
    n_dead_latents: int
    n_shifted: int
    """Blocks in a row, this one included, in which the level of some feature is another one."""
    drift: Drift | None
    """The shift of level that this block made the new normal."""
