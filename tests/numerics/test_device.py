import pytest
import torch

from streamae.numerics.device import device_memory, resolve_device


def test_auto_takes_what_is_there() -> None:
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_an_error() -> None:
    with pytest.raises(ValueError, match="CUDA"):
        resolve_device("cuda")


def test_the_cpu_has_no_memory_of_its_own() -> None:
    assert device_memory("cpu") == {}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_memory_of_a_device_grows_with_a_tensor() -> None:
    before = device_memory("cuda")
    held = torch.zeros(1 << 20, device="cuda")
    after = device_memory("cuda")
    assert after["allocated"] - before["allocated"] >= held.nbytes
    assert after["allocated"] <= after["reserved"] <= after["total"] - after["free"]
