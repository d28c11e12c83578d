"""The detector of one stream: scores a block's records, then learns the block."""

import math

import numpy as np
import torch
from torch import Tensor

from streamae.autoencoders import build
from streamae.config import DetectorConfig
from streamae.detector import energies, guard, schedule
from streamae.detector.calibrator import Calibrator
from streamae.detector.drift import DriftMonitor
from streamae.detector.explain import Explanation, compare, explain
from streamae.detector.histograms import MarginalHistograms
from streamae.detector.moments import moments
from streamae.detector.neighbours import Neighbours
from streamae.detector.persistence import Persistence
from streamae.detector.prominence import Prominence
from streamae.detector.scaler import Scaler
from streamae.detector.scores import KINDS, Evidence, Learned, Scores
from streamae.detector.whitener import Whitener
from streamae.numerics.device import resolve_device
from streamae.numerics.seeds import generator
from streamae.numerics.state import State, Stateful, check_alike, prefixed, within
from streamae.transforms import Context
from streamae.types import Bools, Doubles, Floats, Longs

RECORDS_PER_FEATURE = 8
"""The covariance of residuals needs several records per feature to be worth inverting."""

LEARNT = (
    *("scaler", "autoencoder", "linear", "residual", "histograms", "neighbours"),
    *("persistence", "prominence", "calibrator", "guard", "drift"),
)
"""The parts of a detector, as snapshots name them."""


class Detector:
    """Scores records with the model as the last finished block left it, and learns whole blocks.

    Every value it computes is a function of the configuration, the stream's name and the records;
    the bits of a record's score depend on its slot, its values, the earlier records of the block
    and the state.
    """

    def __init__(
        self,
        config: DetectorConfig,
        n_features: int,
        stream: str,
        context: Context = Context(),  # noqa: B008 - immutable.
    ) -> None:
        """Take records of k columns: the context, which is never judged, then the features."""
        self._config = config
        self._stream = stream
        self.n_blocks = 0
        """Blocks learnt."""
        self._device = torch.device(resolve_device(config.device))
        self._features = slice(context.n_columns, None)
        n_columns = context.n_columns + n_features
        self._scaler = Scaler(n_columns, config.memory, context.n_scaled)
        self._autoencoder = build(config, n_columns, self._device)
        ridge = config.covariance_ridge
        self._linear = Whitener(n_columns, ridge, config.memory, self._device)
        residual_memory = max(config.residual_memory, RECORDS_PER_FEATURE * n_features)
        self._residual = Whitener(n_features, ridge, residual_memory, self._device)
        placed = self._generator("histograms")
        self._histograms = MarginalHistograms(n_features, config, placed, self._device)
        self._neighbours = Neighbours(n_features, config.autoencoder_memory, self._device)
        self._persistence = Persistence(config.block_size, config.autoencoder_memory)
        self._prominence = Prominence(len(KINDS), config.autoencoder_memory)
        self._calibrator = Calibrator(config.calibration_memory)
        self._guard = guard.Guard()
        self._drift = DriftMonitor(n_features, config)
        self._parts: dict[str, Stateful] = {name: getattr(self, f"_{name}") for name in LEARNT}
        self._refresh()

    @property
    def device(self) -> str:
        return str(self._device)

    def warmup_progress(self, alpha: float = 1.0) -> float:
        """Return the share of the warm-up done, until a p-value of `alpha` can be judged by."""
        scored = max(self.n_blocks - 1, 0) * self._config.block_size
        return min(scored / self._config.scores_before(alpha), 1.0)

    @property
    def warm(self) -> bool:
        """Whether p-values mean something; before, nothing is anomalous."""
        return self.warmup_progress() >= 1.0

    @torch.inference_mode()
    def score(self, x: Floats, n: int) -> Scores:
        """Score the records x[:n] of a block x[block_size, k], NaN = missing; changes nothing.

        score = energy + autocorrelation * recent level of it + surprise + prominence
        """
        ones = np.ones(len(x))
        if self.n_blocks == 0:
            return Scores(np.full(len(x), np.nan, np.float32), ones, None)
        evidence = self._weigh(x, n)
        score = self._sum(evidence, evidence.levels)
        return Scores(score, self._calibrator.p_value(score) if self.warm else ones, evidence)

    @torch.inference_mode()
    def learn(self, x: Floats, scores: Scores) -> Learned:
        """Learn the complete block x[block_size, k], of which `score` returned `scores`."""
        evidence = scores.evidence or self._start(x)
        admitted = self._admit(scores.score)
        weights = guard.row_weights(evidence.linear_energy, evidence.residual_energy)
        counted = torch.from_numpy(weights.astype(np.float32)).to(self._device)
        sums = moments(evidence.z, evidence.missing, guard.at_least_half(weights))
        drift = self._drift.update(sums.of(self._features), self._scaler.levels(self._features))
        interval = self._config.learning_interval
        due = schedule.due(self.n_blocks, interval, self._autoencoder.filled)
        if due.lesson and self.n_blocks > 0:  # `_start` has learnt the first.
            self._learn_autoencoder(evidence, counted, due.lesson)
        if due.covariance:
            self._linear.update(evidence.imputed, counted, evidence.missing)
            self._refresh()
        if due.neighbours:
            self._neighbours.update(evidence.recons, counted, self._generator("neighbours"))
        begun = self._scaler.update(x, sums)
        if drift is not None:
            self._scaler.recenter(self._features.start + drift.features, drift.after)
        self._residual.update(evidence.residual, counted, evidence.unobserved)
        self._histograms.update(evidence.bins, evidence.unobserved)
        if len(begun):
            self._forget(begun)
        self._persistence.update(evidence.energy, evidence.levels)
        if scores.evidence is not None:
            self._calibrator.update(scores.score[admitted])
            if due.neighbours:
                self._prominence.update(evidence.kinds)
        self.n_blocks += 1
        return Learned(
            loss=float(evidence.residual.square().mean()),
            nats=self._autoencoder.nats,
            n_suspects=guard.n_suspects(weights),
            n_withheld=int(np.count_nonzero(~admitted)),
            active_share=self._autoencoder.activity.active_share,
            n_dead_latents=self._autoencoder.activity.n_dead_latents,
            n_shifted=self._drift.n_shifted,
            drift=drift,
        )

    @torch.inference_mode()
    def rescore(self, x: Floats, scores: Scores, slot: int) -> Floats:
        """Return the scores [m] of the record in `slot` if its values were x[m, k].

        `scores` are those of its block, not the first one.
        """
        was, now = scores.known, self._weigh(x, len(x))
        levels = self._persistence.moved(was.levels[slot], now.energy - was.energy[slot])
        return self._sum(now, levels)

    @torch.inference_mode()
    def codes(self, x: Floats) -> Floats:
        """Return the autoencoder's code [n, h] of the records x[n, k], as it is now."""
        return np.array(self._autoencoder.encode(self._standardised(x)).cpu().numpy())

    @torch.inference_mode()
    def reconstruct(self, x: Floats) -> Floats:
        """Return the features [n, d] that the codes of x[n, k] stand for, in their own units."""
        recons = self._autoencoder.recons(self._standardised(x))[:, self._features]
        return self._scaler.inverse(recons.double().cpu().numpy())

    def threshold(self, alpha: float) -> float:
        """Return the score whose p-value is `alpha`; infinite until warm."""
        return self._calibrator.threshold(alpha) if self.warm else float("inf")

    def deviations(self, evidence: Evidence) -> dict[str, Doubles]:
        """Return how far records [b] stand out by kind: above the median, in deviations."""
        return dict(zip(KINDS, self._prominence.deviations(evidence.kinds), strict=True))

    @torch.inference_mode()
    def explain(self, x: Floats) -> Explanation:
        """Return which features make the record x[k] anomalous, and what they should have been."""
        evidence = self._weigh(x[None], 1)
        stands_out = self.deviations(evidence)
        if stands_out["residual"] >= stands_out["distance"]:
            return explain(x, evidence, self._weigh, self._scaler, self._residual)
        return compare(x, evidence, self._neighbours.nearest(evidence.recons), self._scaler)

    def state_dict(self) -> State:
        """Return everything learnt, as arrays of fixed names, shapes and types."""
        state = {"n_blocks": np.array(self.n_blocks)}
        for name, part in self._parts.items():
            state |= prefixed(name, part.state_dict())
        return state

    @torch.inference_mode()
    def load_state_dict(self, state: State) -> None:
        """Continue, to the last bit, where `state_dict` was called.

        Raise ValueError, and change nothing, when a name, shape or type differs.
        """
        check_alike(self.state_dict(), state)
        self.n_blocks = int(state["n_blocks"])
        for name, part in self._parts.items():
            part.load_state_dict(within(name, state))
        self._refresh()

    def _refresh(self) -> None:
        """Derive what scoring reads from the covariance that few blocks change."""
        covariance = self._linear.covariance[self._features, self._features]
        self._independence = energies.independence(covariance)

    def _sum(self, evidence: Evidence, levels: Doubles) -> Floats:
        score = evidence.energy + self._persistence.autocorrelation * levels
        return (score + evidence.surprise + evidence.prominence).astype(np.float32)

    def _weigh(self, x: Floats, n: int) -> Evidence:
        """Return the evidence for the rows x[b, k]; those from n on count as average records."""
        z = self._scaler.transform(x)
        z[n:] = 0.0
        z = z.to(self._device)
        missing = torch.isnan(z) if math.isnan(z.sum()) else None
        if missing is not None:
            z.nan_to_num_(0.0)
        features = z[:, self._features]
        unobserved = None if missing is None else missing[:, self._features]
        imputed, recons, residual = self._reconstruct(z, missing)
        bins = self._histograms.bins(features)
        surprise = self._histograms.surprise(bins, unobserved)
        # The whitened features, behind the whitened context, are what the context leaves of them.
        whitened = self._linear.whiten(imputed)[:, self._features]
        squares = torch.stack([whitened, features]).square_()
        own, single = self._residual.energy(residual), energies.coordinatewise(squares)
        extreme = energies.extremes(single[1])
        distance = self._neighbours.distance(recons)
        sums = [squares[0].sum(1), own, *single.sum(-1).unbind(), extreme, surprise, distance]
        totals = torch.stack(sums).double().cpu().numpy()
        n_observed = energies.n_observed(unobserved, features.shape[1])
        linear, own, linear_t, marginal_t = totals[:4] / n_observed
        kinds = np.stack([linear_t, marginal_t, energies.student_t(own), *totals[5:]])
        votes = energies.votes(self._autoencoder.nats, self._independence)
        energy = energies.combined(kinds[:3], votes) + totals[4] / np.sqrt(n_observed)
        levels = self._persistence.levels(energy)
        best = self._prominence.of(kinds, np.append(votes, [1.0, 1.0]))
        return Evidence(
            z, missing, imputed, recons, residual, linear, own, energy, levels, kinds, best, bins
        )

    def _reconstruct(self, z: Tensor, missing: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return z[b, k], missing values imputed, and reconstruction and residual [b, d] of that.

        Zeros in place of missing values would mislead the code about the others, so these are
        reconstructed from what the autoencoder and the covariance expect there.
        """
        recons = self._autoencoder.recons(z)
        if missing is None:
            recons = recons[:, self._features]
            return z, recons, z[:, self._features] - recons
        imputed = self._linear.impute(torch.where(missing, recons, z), missing)
        recons = self._autoencoder.recons(imputed)[:, self._features]
        gaps = missing[:, self._features]
        residual = (z[:, self._features] - recons).masked_fill_(gaps, 0.0)
        return imputed, recons, self._residual.impute(residual, gaps)

    def _admit(self, score: Floats) -> Bools:
        """Return which records [n] later p-values may compare with."""
        if not self.warm:
            return np.ones(len(score), np.bool_)
        calibrator = self._calibrator
        return self._guard.admit(score >= calibrator.alien_score, score >= calibrator.tail_score)

    def _start(self, x: Floats) -> Evidence:
        """Learn scale and autoencoder from the first block x and weigh it by these."""
        self._scaler.fit(x)
        z = self._standardised(x)
        self._autoencoder.start(z, self._generator("encoder"))
        ones = torch.ones(len(x), device=self._device)
        self._learn_autoencoder(self._weigh(x, len(x)), ones, schedule.EVERY)
        return self._weigh(x, len(x))

    def _forget(self, columns: Longs) -> None:
        """Forget what was known of columns [m] that vary for the first time."""
        self._linear.forget(columns)
        features = columns[columns >= self._features.start] - self._features.start
        self._residual.forget(features)
        self._histograms.forget(features)
        self._neighbours.forget(features)
        self._refresh()

    def _standardised(self, x: Floats) -> Tensor:
        return self._scaler.transform(x).nan_to_num_(0.0).to(self._device)

    def _learn_autoencoder(self, evidence: Evidence, weights: Tensor, rows: slice) -> None:
        missing = None if evidence.missing is None else evidence.missing[rows]
        corruption = self._generator("corruption")
        self._autoencoder.learn(evidence.z[rows], weights[rows], missing, corruption)

    def _generator(self, purpose: str) -> torch.Generator:
        return generator(self._config.seed, self._stream, self.n_blocks, purpose)
