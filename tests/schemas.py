"""The JSON Schemas that are shipped, made from the records."""

from collections.abc import Mapping
from typing import Any

import msgspec

from streamae.records import Event, Label, Score, ScoreBlock


def schemas() -> Mapping[str, dict[str, Any]]:
    """Return a JSON Schema (2020-12) per kind of message, by the name of its file in `schemas`."""
    kinds: Mapping[str, Any] = {
        "alert.v1.json": Event,
        "score.v1.json": Score,
        "score-block.v1.json": ScoreBlock,
        "label.v1.json": Label,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: {**dialect, **msgspec.json.schema(kind)} for name, kind in kinds.items()}
