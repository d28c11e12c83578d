import pytest
import torch

from streamae.numerics.corruption import corrupt
from streamae.numerics.seeds import generator


@pytest.mark.parametrize("masking", [0.0, 0.3])
def test_noise_and_masked_share(masking: float) -> None:
    z = torch.full((2000, 10), 5.0)
    corrupted = corrupt(z, 0.5, masking, generator(0, "t/0", 0, "corruption"))
    masked = corrupted == 0
    assert masked.float().mean().item() == pytest.approx(masking, abs=0.01)
    kept = corrupted[~masked] - 5.0
    assert kept.mean().item() == pytest.approx(0.0, abs=0.02)
    assert kept.std().item() == pytest.approx(0.5, abs=0.02)
    assert (z == 5.0).all()
