import numpy as np
import torch

from streamae.numerics.optimizer import RISE, Adam, one_cycle


def test_equals_torch() -> None:
    rng = torch.Generator().manual_seed(0)
    ours = torch.randn(4, 3, generator=rng)
    theirs = torch.nn.Parameter(ours.clone())
    adam = Adam(ours.shape, 0.01, ours.device)
    reference = torch.optim.Adam([theirs], lr=0.01)
    for _ in range(20):
        gradient = torch.randn(4, 3, generator=rng)
        ours = adam.step(ours, gradient)
        theirs.grad = gradient.clone()
        reference.step()
    torch.testing.assert_close(ours, theirs.detach())
    assert adam.n_steps == 20


def test_share_of_the_learning_rate_is_a_shorter_step() -> None:
    whole, half = (Adam(torch.Size([3]), 0.01, torch.device("cpu")) for _ in range(2))
    gradient = torch.tensor([1.0, -2.0, 0.5])
    step = whole.step(torch.zeros(3), gradient)
    torch.testing.assert_close(half.step(torch.zeros(3), gradient, 0.5), step / 2)


def test_learning_rate_rises_and_falls_once() -> None:
    shares = np.array([one_cycle(at) for at in np.linspace(0.0, 1.0, 1001)])
    np.testing.assert_allclose(shares[[0, round(1000 * RISE), 1000]], [0.1, 1.0, 0.0], atol=1e-12)
    top = int(shares.argmax())
    assert (np.diff(shares[: top + 1]) > 0).all()
    assert (np.diff(shares[top:]) < 0).all()
