"""Whether files and directories can be written, asked without writing."""

import os
from collections.abc import Iterator
from pathlib import Path

from streamae.check import Check
from streamae.config import OutputConfig
from streamae.local.sink import STDOUT


def check_outputs(config: OutputConfig) -> Iterator[Check]:
    """Say of each output whether its file can be appended to, or made."""
    channels = {"alerts": config.alerts, "scores": config.scores}
    for channel, name in {**channels, "dead_letters": config.dead_letters}.items():
        if name is not None and name != STDOUT:
            yield _writable(f"output.{channel}", Path(name), directory=False)


def check_state(directory: str) -> Check:
    """Say whether the state directory can be used, or made."""
    return _writable("state.directory", Path(directory), directory=True)


def _writable(key: str, path: Path, *, directory: bool) -> Check:
    if path.exists() and path.is_dir() != directory:
        return Check("fail", key, f"{path} is {'no' if directory else 'a'} directory")
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not there.is_dir() and there != path:
        return Check("fail", key, f"{path} cannot be made: {there} is no directory")
    needed = os.W_OK | os.X_OK if there.is_dir() else os.W_OK
    if not os.access(there, needed):
        return Check("fail", key, f"{path} cannot be written: no permission for {there}")
    return Check("ok", key, f"{path} can be {'written' if there == path else 'made'}")
