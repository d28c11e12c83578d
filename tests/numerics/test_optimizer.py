import torch

from streamae.numerics.optimizer import Adam


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
