import signal

import pytest

from streamae import detector


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # As the daemon does: with fewer free cores than threads, a product waits for both.
    detector.set_threads(1)


def pytest_configure() -> None:
    # A shell ignores SIGINT for what it runs in the background, and children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
