import pytest
import torch

from streamae.detector.device import resolve_device


def test_auto_takes_what_is_there() -> None:
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_an_error() -> None:
    with pytest.raises(ValueError, match="CUDA"):
        resolve_device("cuda")
