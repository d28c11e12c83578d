"""Loads a configuration: defaults < file < environment < `--set`, every value checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from streamae.config.document import assemble, read_text
from streamae.config.keys import keys, sections
from streamae.config.rules import check
from streamae.config.section import Section
from streamae.config.sections import Config
from streamae.config.settings import Reader
from streamae.config.values import Duration, Secret, Size, Span

NO_ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType({})


def load(
    path: Path | None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = NO_ENVIRONMENT,
) -> Config:
    """Return the configuration of a file with `overrides` (`section.key=VALUE`) on top.

    `environ` fills `${VAR}` in the file and gives `STREAMAE_SECTION__KEY` values; without `path`
    the defaults are the base. Raise `ConfigError` with every finding, one a line.
    """
    reader = Reader(sections(), environ)
    if path is not None:
        reader.read_yaml(read_text(path), str(path))
    reader.read_environment(keys())
    reader.read_overrides(overrides)
    return assemble(reader, Config, check, origin=str(path or ""))


def plain(value: Any) -> Any:
    """Return a configuration value as JSON and YAML have it; a secret as `[redacted]`."""
    if isinstance(value, Secret):
        return "[redacted]"
    if isinstance(value, Duration | Size | Span):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def redact(config: Section) -> dict[str, Any]:
    """Return the configuration as nested dicts that may be shown to anyone."""
    names = [field.name for field in msgspec.structs.fields(config)]
    values = {name: getattr(config, name) for name in names}
    return {
        name: redact(value) if isinstance(value, Section) else plain(value)
        for name, value in values.items()
    }
