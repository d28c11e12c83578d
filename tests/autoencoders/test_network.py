import pytest
import torch
from torch import Tensor

from streamae.autoencoders.network import INPUT_LIMIT, Network
from streamae.numerics.seeds import generator

CPU = torch.device("cpu")


def network(activation: str = "relu", n_latents: int = 300) -> Network:
    model = Network(6, n_latents, activation, CPU)
    model.init_encoder_(normal(2000), generator(0, "t/0", 0, "encoder"))
    model.decoder = torch.randn(model.decoder.shape, generator=torch.Generator().manual_seed(1))
    return model


def normal(n: int) -> Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(0))


def test_latents_begin_active_on_2_to_50_percent_of_the_data() -> None:
    model = network()
    share = (model.encode(model.inputs(normal(2000))) > 0).float().mean(0)
    assert share.min().item() == pytest.approx(0.02, abs=0.01)
    assert share.max().item() == pytest.approx(0.5, abs=0.01)
    assert share.mean().item() == pytest.approx(0.26, abs=0.03)


def test_inputs_are_limited() -> None:
    inputs = network().inputs(torch.tensor([[-100.0, -1.0, 0.0, 1.0, 4.5, 100.0]]))
    assert inputs.tolist() == [[1.0, -INPUT_LIMIT, -1.0, 0.0, 1.0, INPUT_LIMIT, INPUT_LIMIT]]


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_reconstruction(activation: str) -> None:
    model, z = network(activation), normal(50)
    inputs = torch.cat([torch.ones(50, 1), z.clamp(-INPUT_LIMIT, INPUT_LIMIT)], dim=1)
    latents = getattr(torch, activation)(inputs @ model.encoder)
    expected = torch.cat([inputs, latents], dim=1) @ model.decoder
    torch.testing.assert_close(model.recons(z), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_encoder_gradient_is_that_of_autograd(activation: str) -> None:
    model, z = network(activation), normal(50)
    inputs, target = model.inputs(z), torch.cos(z)
    encoder = model.encoder.clone().requires_grad_()
    latents = getattr(torch, activation)(inputs @ encoder)
    decoder = model.decoder[7:]
    (latents @ decoder - target).square().sum().backward()
    model_latents = model.encode(inputs)
    upstream = 2.0 * (model_latents @ decoder - target) @ decoder.T
    gradient = model.encoder_gradient(inputs, model_latents, upstream)
    assert encoder.grad is not None
    torch.testing.assert_close(gradient, encoder.grad, rtol=1e-3, atol=1e-2)


def test_constant_data_gives_a_finite_encoder() -> None:
    model = Network(3, 20, "relu", CPU)
    model.init_encoder_(torch.zeros(64, 3), generator(0, "t/0", 0, "encoder"))
    assert torch.isfinite(model.encoder).all()
