"""The variational autoencoder: a code that is a distribution, and a model of the records."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamae.autoencoders.base import Autoencoder, linear
from streamae.autoencoders.batch import Batch, to_array
from streamae.types import Floats

LOG_VARIANCE = 20.0
"""log s^2 ends here, where no code is any more: exp of more than 88 is infinite in float32."""

LAYERS = ("encoder", "mean", "log_variance", "decoder", "output", "output_variance")


@dataclass(eq=False, kw_only=True)
class VariationalAutoencoder(Autoencoder):
    """Maximises a lower bound (ELBO) of the records' log-likelihood.

        q(z | x) = N(m(x), diag s^2(x)),  p(z) = N(0, I),  p(x | z) = N(mu(z), diag v(z))
        cost     = mean over records of  KL(q(z | x) || p(z)) - log p(x | z),  z = m + s eps

    eps ~ N(0, I) makes z a differentiable function of m and s. Both networks have one tanh layer.
    Kingma and Welling, Auto-encoding variational Bayes, 2014.
    """

    n_latents: int = 4
    n_hidden: int = 64
    """Units of the hidden layer on either side of the code."""
    smallest_variance: float = 1e-2
    """Floor of v: without it the likelihood of a constant feature has no upper bound."""
    n_samples: int = 10
    """Codes drawn per record by `score`."""

    @torch.no_grad()
    def generate(self, n: int, draw: int = 0) -> Floats:
        """Return n new records [n, d], means of p(x | z) with z from the prior.

        Each `draw` gives others.
        """
        self._check_fitted()
        codes = torch.randn(n, self.n_latents, generator=self._generator("prior", draw))
        return to_array(self.decode(codes.to(self._device)))

    def _initial(self, n_features: int, generator: torch.Generator) -> dict[str, Tensor]:
        d, m, h = n_features, self.n_hidden, self.n_latents
        shapes = dict(zip(LAYERS, ((d, m), (m, h), (m, h), (h, m), (m, d), (m, d)), strict=True))
        parameters: dict[str, Tensor] = {}
        for layer, (n_inputs, n_outputs) in shapes.items():
            parameters |= linear(layer, n_inputs, n_outputs, generator)
        return parameters

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return m and log s^2 of q(z | x), [n, h] each."""
        hidden = self._linear("encoder", x).tanh()
        log_variance = self._linear("log_variance", hidden)
        return self._linear("mean", hidden), log_variance.clamp(-LOG_VARIANCE, LOG_VARIANCE)

    def _likelihood(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and v of p(x | z) for codes[n, h], [n, d] each."""
        hidden = self._linear("decoder", codes).tanh()
        variance = torch.nn.functional.softplus(self._linear("output_variance", hidden))
        return self._linear("output", hidden), self.smallest_variance + variance

    def encode(self, x: Tensor) -> Tensor:
        return self._posterior(x)[0]

    def decode(self, codes: Tensor) -> Tensor:
        return self._likelihood(codes)[0]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        mean, log_variance = self._posterior(batch.x)
        log_density = self._log_density(batch, mean, log_variance, generator)
        return batch.mean(kl_from_prior(mean, log_variance) - log_density)

    def _log_density(
        self, batch: Batch, mean: Tensor, log_variance: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return log p(x | z) over the observed features for one z of q(z | x) per record, [n]."""
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        mu, variance = self._likelihood(mean + (0.5 * log_variance).exp() * noise)
        terms = (batch.x - mu).square() / variance + (2.0 * np.pi * variance).log()
        return -0.5 * (batch.observed * terms).sum(1)

    def _score(self, batch: Batch) -> Tensor:
        """Return minus the reconstruction probability, in nats, [n].

        The probability is the mean of log p(x | z) over `n_samples` codes of q(z | x): An and Cho,
        Variational autoencoder based anomaly detection using reconstruction probability, 2015.
        """
        posterior = self._posterior(batch.x)
        batch = batch._replace(x=batch.whole)
        draws = [
            self._log_density(batch, *posterior, self._generator("score", sample))
            for sample in range(self.n_samples)
        ]
        return -torch.stack(draws).mean(0)


def kl_from_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, diag variance) || N(0, I)) of each row of [n, h], [n]."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(1)
