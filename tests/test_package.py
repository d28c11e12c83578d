"""What importing the package costs and offers."""

import subprocess
import sys

import pytest

import streamae
from streamae.autoencoders import MODELS

SLOW = ("torch", "river", "numpy", "pandas")


@pytest.mark.parametrize(
    "code",
    ["import streamae", "import streamae.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: 0"],
)
def test_nothing_slow_is_imported_before_it_is_used(code: str) -> None:
    code += f"\nimport sys; print(sorted(set({SLOW}) & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "[]"


def test_public_names() -> None:
    for name in streamae.__all__:
        assert getattr(streamae, name)
        assert name in dir(streamae)
    assert set(MODELS.values()) <= {getattr(streamae, name) for name in streamae.__all__}
    with pytest.raises(AttributeError, match="no attribute 'Model'"):
        streamae.Model  # noqa: B018
