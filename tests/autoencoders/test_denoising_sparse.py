import numpy as np
import pytest
import torch
from torch import Tensor

from streamae.autoencoders import loss
from streamae.autoencoders.denoising_sparse import N_GROUPS, SPACING, DenoisingSparseAutoencoder
from streamae.config import DetectorConfig
from streamae.detector import schedule
from streamae.numerics.seeds import generator

CPU = torch.device("cpu")
N = 256


def circle(n: int, seed: int = 0) -> Tensor:
    """Records on a circle in a plane of four features: curved, so beyond a linear model."""
    rng = np.random.default_rng(seed)
    angle = rng.random(n) * 2 * np.pi
    x = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], axis=1)
    return torch.from_numpy((1.4 * x + 0.05 * rng.standard_normal(x.shape)).astype(np.float32))


def autoencoder(config: DetectorConfig, z: Tensor) -> DenoisingSparseAutoencoder:
    part = DenoisingSparseAutoencoder(config, z.shape[1], CPU)
    part.start(z[:N], generator(0, "t/0", 0, "encoder"))
    return part


def learn(part: DenoisingSparseAutoencoder, z: Tensor, missing: Tensor | None = None) -> None:
    for i in range(0, len(z) - N + 1, N):
        hidden = None if missing is None else missing[i : i + N]
        block = z[i : i + N] if hidden is None else z[i : i + N].masked_fill(hidden, 0.0)
        part.learn(block, torch.ones(N), hidden, generator(0, "t/0", i, "corruption"))


def test_decoder_is_the_ridge_regression_on_the_code() -> None:
    config = DetectorConfig(n_latents=16, corruption_noise=0.0, corruption_masking=0.0)
    z = circle(N)
    part = autoencoder(config, z)
    model = part.network
    inputs = model.inputs(z)
    features = torch.cat([inputs, model.encode(inputs)], dim=1).double()
    weights = torch.rand(N, generator=torch.Generator().manual_seed(0)) + 0.5
    part.learn(z, weights, None, generator(0, "t/0", 0, "corruption"))
    weighted = features.T * weights / N
    gram = weighted @ features + config.ridge * torch.eye(features.shape[1])
    expected = torch.linalg.solve(gram, weighted @ z.double()).float()
    torch.testing.assert_close(model.decoder, expected, rtol=1e-2, atol=1e-3)
    linear = torch.linalg.solve(gram[:5, :5], (weighted @ z.double())[:5]).float()
    torch.testing.assert_close(part.linear_decoder, linear, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("n_latents", [1, 16, 40])
def test_filled_sums_are_solved_group_by_group_to_the_same_decoder(n_latents: int) -> None:
    config = DetectorConfig(n_latents=n_latents, ridge=0.1, autoencoder_memory=4096)
    part, z = autoencoder(config, circle(4096)), circle(4096)
    learn(part, z)
    assert part.filled
    solved = part.network.decoder.clone()
    part.network.decoder.zero_()
    part.linear_decoder.zero_()
    for turn in range(200 * (2 + N_GROUPS)):
        part.adam.n_steps = turn
        part._relax()
    torch.testing.assert_close(part.network.decoder, solved, rtol=1e-2, atol=2e-3)
    linear = torch.linalg.solve(part.gram[:5, :5] + 0.1 * torch.eye(5), part.cross[:5])
    torch.testing.assert_close(part.linear_decoder, linear, rtol=1e-3, atol=1e-4)


def test_filled_it_learns_half_of_the_rows_in_the_place_of_all() -> None:
    config = DetectorConfig(n_latents=16, autoencoder_memory=4096)
    part = autoencoder(config, circle(4096))
    learn(part, circle(4096))
    for turn in range(SPACING * N_GROUPS):
        z = torch.zeros(N, 4)
        z[part.adam.n_steps // N_GROUPS % SPACING :: SPACING] = 1.0
        before = part.cross.clone()
        part.learn(z, torch.ones(N), None, generator(0, "t/0", turn, "corruption"))
        ones = (part.cross[0] - (1 - N / 4096) * before[0]) * 4096 / N
        torch.testing.assert_close(ones, torch.ones(4), rtol=0.05, atol=0.05)


def test_of_hosts_that_send_in_turn_all_are_learnt() -> None:
    n_hosts = 16
    z = torch.eye(n_hosts).repeat(N // n_hosts, 1)
    part = autoencoder(DetectorConfig(n_latents=16, autoencoder_memory=4096), z)
    learn(part, z.repeat(4096 // N, 1))
    for block in range(2048):
        rows = schedule.due(block, 8, part.filled).lesson
        if rows:
            drawn = generator(0, "t/0", block, "corruption")
            part.learn(z[rows], torch.ones(N)[rows], None, drawn)
    torch.testing.assert_close(part.cross[0], torch.full((n_hosts,), 1 / n_hosts), rtol=0.2, atol=0)


def test_no_group_raises_the_ridge_loss() -> None:
    config = DetectorConfig(n_latents=16, autoencoder_memory=4096)
    part = autoencoder(config, circle(4096))
    learn(part, circle(4096))
    learn(part, 0.5 * circle(N, seed=1))

    def loss_of(decoder: Tensor) -> float:
        d, gram, cross = decoder.double(), part.gram.double(), part.cross.double()
        return float(0.5 * (d * (gram @ d + config.ridge * d)).sum() - (d * cross).sum())

    losses = []
    for turn in range(3 * (1 + N_GROUPS)):
        losses.append(loss_of(part.network.decoder))
        part.adam.n_steps = turn
        part._relax()
    assert (np.diff(losses) < 1e-6).all()
    assert losses[-1] < losses[0]


def torch_adam(part: DenoisingSparseAutoencoder, encoder: torch.nn.Parameter) -> torch.optim.Adam:
    """Return torch's own optimiser of `encoder`, in the state of the autoencoder's."""
    adam = torch.optim.Adam([encoder], lr=part._hyperparameters.learning_rate)
    moments = {
        "step": torch.tensor(float(part.adam.n_steps)),
        "exp_avg": part.adam.first.clone(),
        "exp_avg_sq": part.adam.second.clone(),
    }
    groups = adam.state_dict()["param_groups"]
    adam.load_state_dict({"state": {0: moments}, "param_groups": groups})
    return adam


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_encoder_step_is_adam_on_the_gradient_of_autograd(activation: str) -> None:
    config = DetectorConfig(
        n_latents=16,
        activation=activation,
        l1_weight=0.1,
        sparsity_weight=0.5,
        ridge=0.1,
        sparsity_target=0.1,
        corruption_noise=0.3,
        corruption_masking=0.0,
    )
    z = circle(2 * N)
    part = autoencoder(config, z)
    learn(part, z[:N])
    model = part.network
    encoder = torch.nn.Parameter(model.encoder.clone())
    adam = torch_adam(part, encoder)
    clean, rng = z[N:], generator(0, "t/0", 1, "corruption")
    noise = 0.3 * torch.randn(N, 4, generator=rng)
    inputs = torch.cat([torch.ones(N, 1), clean + noise], dim=1)
    latents = getattr(torch, activation)(inputs @ encoder)
    recons = torch.cat([inputs, latents], dim=1) @ model.decoder.clone()
    penalty = (
        loss.l1_penalty(latents, 0.1)
        if activation == "relu"
        else loss.kl_penalty(latents, 0.1, 0.5)
    )
    ((clean - recons).square().mean() + penalty.value).backward()
    adam.step()
    part.learn(clean, torch.ones(N), None, generator(0, "t/0", 1, "corruption"))
    torch.testing.assert_close(model.encoder, encoder.detach(), rtol=1e-3, atol=1e-4)


def test_beats_the_linear_denoiser_on_curved_data_only() -> None:
    curved = autoencoder(DetectorConfig(n_latents=64), circle(N))
    learn(curved, circle(20 * N))
    assert curved.nats > 0.5
    normal = torch.randn(20 * N, 4, generator=torch.Generator().manual_seed(0))
    flat = autoencoder(DetectorConfig(n_latents=64), normal)
    learn(flat, normal)
    assert flat.nats < 0.05


@pytest.mark.parametrize(("weight", "moves"), [(5.0, True), (0.0, False)])
def test_kl_moves_the_mean_activation_to_its_target(weight: float, moves: bool) -> None:
    config = DetectorConfig(
        n_latents=32, activation="sigmoid", sparsity_weight=weight, learning_rate=0.02
    )
    part = autoencoder(config, circle(N))
    learn(part, circle(300 * N))
    assert (part.activity.active_share == pytest.approx(0.1, abs=0.02)) == moves


@pytest.mark.parametrize("weight", [0.0, 30.0])
def test_l1_thins_the_code(weight: float) -> None:
    config = DetectorConfig(
        n_latents=32, l1_weight=weight, learning_rate=0.02, autoencoder_memory=4096
    )
    part = autoencoder(config, circle(N))
    learn(part, circle(400 * N))
    assert (part.activity.active_share < 0.1) == (weight > 0)
    assert (part.activity.n_dead_latents > 0) == (weight > 0)


def test_a_missing_feature_is_predicted_as_if_it_had_been_seen() -> None:
    z = circle(40 * N)
    missing = torch.zeros(z.shape, dtype=torch.bool)
    missing[:, 3] = torch.rand(len(z), generator=torch.Generator().manual_seed(0)) < 0.3
    part = autoencoder(DetectorConfig(n_latents=64), z)
    learn(part, z, missing)
    fresh = circle(N, seed=1)
    error = (fresh - part.network.recons(fresh))[:, 3]
    assert error.square().mean().item() < 0.1 * fresh[:, 3].var().item()


def test_missing_targets_pull_nothing() -> None:
    """What stands in a missing place has no effect at all."""
    z = circle(4 * N)
    missing = torch.rand(z.shape, generator=torch.Generator().manual_seed(0)) < 0.2
    decoders = []
    for config in (DetectorConfig(n_latents=16), DetectorConfig(n_latents=16)):
        part = autoencoder(config, z)
        learn(part, z if not decoders else z.masked_fill(missing, 2.5), missing)
        decoders.append(part.network.decoder)
    assert torch.equal(*decoders)


def test_sums_are_filled_by_their_memory() -> None:
    part = autoencoder(DetectorConfig(n_latents=8, autoencoder_memory=4096), circle(N))
    learn(part, circle(15 * N))
    assert not part.filled
    learn(part, circle(3 * N))
    assert part.filled
    assert part.count == 4096.0
