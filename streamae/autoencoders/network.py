"""One overcomplete hidden layer with a sparse code, and a linear path beside it."""

import torch
from torch import Tensor

from streamae.numerics.state import Stateful

INPUT_LIMIT = 4.0
"""One wild feature must not drive the whole code, so inputs end here. Nearer in, at 3, the linear
path would find that features of one ordinary record in twenty do not fit each other."""

FEWEST_COLUMNS = 16
"""MKL needs 70 us for 256 rows of 256 latents times 10 columns, and 26 us where there are 16."""


class Network(Stateful):
    """The reconstruction of standardised records z[n, d] from h sparse latents.

        inputs  = [1, clip(z, +-4)]                      [n, 1 + d]
        latents = activation(inputs encoder)             [n, h]
        recons  = [inputs, latents] decoder              [n, d]

    The first row of `encoder` is the latents' bias, that of `decoder` the reconstruction's, and the
    next d rows of `decoder` are the linear path. The decoder is solved, the encoder descends (see
    `denoising_sparse`).
    """

    learnt = ("encoder", "decoder")

    def __init__(
        self, n_features: int, n_latents: int, activation: str, device: torch.device
    ) -> None:
        self.activation = activation
        self.encoder = torch.zeros(1 + n_features, n_latents, device=device)
        self.decoder = torch.zeros(1 + n_features + n_latents, n_features, device=device)

    def init_encoder_(self, z: Tensor, generator: torch.Generator) -> None:
        """Draw random unit directions and place each latent's threshold in the data z[n, d].

        A latent is active on a share of the rows drawn uniformly from 2 to 50 %: broad latents
        cover the data, narrow ones its corners.
        """
        n, n_features = z.shape
        n_latents = self.encoder.shape[1]
        directions = torch.randn(n_features, n_latents, generator=generator)
        directions = torch.nn.functional.normalize(directions, dim=0).to(z.device)
        active = 0.02 + 0.48 * torch.rand(n_latents, generator=generator)
        rank = ((1.0 - active) * (n - 1)).round().long().to(z.device)
        ordered = torch.mm(clip(z), directions).sort(dim=0).values
        thresholds = ordered.gather(0, rank[None])
        self.encoder = torch.cat([-thresholds, directions])

    def inputs(self, z: Tensor) -> Tensor:
        """Return [1, clip(z)], [n, 1 + d]."""
        return torch.nn.functional.pad(clip(z), (1, 0), value=1.0)

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the latents [n, h]."""
        latents = torch.mm(inputs, self.encoder)
        return latents.relu_() if self.activation == "relu" else latents.sigmoid_()

    def recons(self, z: Tensor) -> Tensor:
        """Return the reconstruction [n, d] of z[n, d]."""
        inputs = self.inputs(z)
        n_inputs = inputs.shape[1]
        decoder = widened(self.decoder)
        linear = torch.mm(inputs, decoder[:n_inputs])
        recons = linear.addmm_(self.encode(inputs), decoder[n_inputs:])
        return recons[:, : z.shape[1]]

    def active(self, latents: Tensor) -> Tensor:
        """Return how active each of latents[n, h] is, from 0 to 1."""
        return latents.sign() if self.activation == "relu" else latents

    def encoder_gradient(self, inputs: Tensor, latents: Tensor, gradient: Tensor) -> Tensor:
        """Return dL/d encoder [1 + d, h] from dL/d latents [n, h]."""
        slope = latents.sign() if self.activation == "relu" else latents * (1.0 - latents)
        return torch.mm(inputs.T, slope.mul_(gradient))


def clip(z: Tensor) -> Tensor:
    return z.clamp(-INPUT_LIMIT, INPUT_LIMIT)


def widened(matrix: Tensor) -> Tensor:
    """Return matrix[k, d] with columns of zeros behind its own, `FEWEST_COLUMNS` at least."""
    n_more = FEWEST_COLUMNS - matrix.shape[1]
    return torch.nn.functional.pad(matrix, (0, n_more)) if n_more > 0 else matrix
