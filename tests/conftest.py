import pytest

from streamae import detector


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # As the daemon does: with fewer free cores than threads, a product waits for both.
    detector.set_threads(1)
