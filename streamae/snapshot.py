"""Detector state to bytes and back: one safetensors file with a JSON header, never pickle.

The header holds the format version, where in the log the state belongs, everything small that is
not an array, the configuration keys the state depends on, and a checksum over all of it. Equal
states give equal bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from streamae.config import Config
from streamae.config.keys import keys
from streamae.errors import SnapshotError

FORMAT = 1
_METADATA_KEY = "streamae"
_NAME_CHARACTERS = 8
Arrays = Mapping[str, npt.NDArray[Any]]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself."""

    format: int = FORMAT
    partition: str
    """Input partition, `topic-partition`."""
    offset: int
    """Offset to read on from: the first record of the block that was unfinished."""
    ordinal: int
    """Valid records learnt from before it, a multiple of the block size."""
    features: tuple[str, ...] | None
    """Frozen feature names; None before the first block is finished."""
    model: dict[str, Any]
    """The configuration keys the arrays depend on."""
    state: dict[str, Any]
    """State of the parts that have no arrays."""
    skipped_from: int | None = None
    """Records from here to `offset` were not learnt, for a rollback kept the position."""
    checksum: str = ""


def slot(number: int, keep: int) -> int:
    """Return which of the `keep` >= 2 kept snapshots the one with this number takes the place of.

    By the ruler sequence: slot s of every 2^(s+1) snapshots, the last slot what is left. So what is
    kept gets twice as far apart with each step into the past, and reaches back 2^(keep-2) snapshots
    at least; two in a row never share a slot.
    """
    if number == 0:
        return keep - 1
    return min((number & -number).bit_length(), keep) - 1


def encode(header: Header, arrays: Arrays) -> bytes:
    """Return the snapshot as bytes; the header's checksum is filled in."""
    raw = msgspec.json.decode(msgspec.json.encode(header))
    raw["checksum"] = _checksum(raw, arrays)
    metadata = {_METADATA_KEY: msgspec.json.encode(raw).decode()}
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return save(contiguous, metadata=metadata)


def decode(blob: bytes) -> tuple[Header, dict[str, npt.NDArray[Any]]]:
    """Return header and arrays; raise `SnapshotError` for anything but an intact snapshot."""
    try:
        length = int.from_bytes(blob[:8], "little")
        metadata = json.loads(blob[8 : 8 + length]).get("__metadata__", {})
        raw = json.loads(metadata[_METADATA_KEY])
        if raw.get("format") != FORMAT:
            raise SnapshotError(
                f"snapshot has format {raw.get('format')}, this version reads {FORMAT}:"
                " use the version that wrote it, or start afresh under a new `name`"
            )
        header = msgspec.convert(raw, Header)
        arrays = load(blob)
    except (ValueError, KeyError, AttributeError, SafetensorError, msgspec.MsgspecError) as error:
        raise SnapshotError(f"snapshot is damaged: {error}") from error
    if _checksum(raw, arrays) != header.checksum:
        raise SnapshotError("snapshot is damaged: its checksum does not match its content")
    return header, arrays


def name_of(blob: bytes) -> str:
    """Return what a snapshot is called: the beginning of a digest (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(blob, digest_size=_NAME_CHARACTERS // 2).hexdigest()


def model_keys(config: Config) -> dict[str, Any]:
    """Return the configuration keys that saved state depends on, as plain values."""
    # By way of JSON, as they come back from a snapshot: lists, not tuples.
    values = msgspec.json.decode(msgspec.json.encode(config.detector))
    paths = {f"detector.{name}": value for name, value in values.items()}
    return {path: value for path, value in paths.items() if keys()[path].change == "new model"}


def check_fits(header: Header, config: Config) -> None:
    """Raise `SnapshotError` naming every key in which snapshot and configuration differ."""
    # A key that the snapshot's version did not have is what its default stands for.
    now, then = model_keys(config), {**model_keys(Config()), **header.model}
    differences = [
        f"{key} is {_yaml(now.get(key))} and was {_yaml(then.get(key))}"
        for key in sorted(now.keys() | then.keys())
        if now.get(key) != then.get(key)
    ]
    wanted = config.record.features
    if wanted != "auto" and header.features is not None and wanted != header.features:
        differences.append(_feature_difference(wanted, header.features))
    if differences:
        raise SnapshotError(
            f"the saved state of {header.partition} does not fit the configuration: "
            + "; ".join(differences)
            + ". Set the keys back, or start afresh with another `name` or `kafka.group`"
            " and state directory."
        )


def _yaml(value: Any) -> str:
    """Return a value as the configuration file has it; JSON is YAML."""
    return value if isinstance(value, str) else json.dumps(value)


def _feature_difference(now: tuple[str, ...], then: tuple[str, ...]) -> str:
    added, removed = sorted(set(now) - set(then)), sorted(set(then) - set(now))
    if not added and not removed:
        return "record.features has another order"
    return f"record.features has new {added} and no longer {removed}"


def _checksum(header: Mapping[str, Any], arrays: Arrays) -> str:
    """Digest of header and arrays; 128 bits of BLAKE2b (RFC 7693).

    The header is as it was written: another version may know of more keys.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(msgspec.json.encode({**header, "checksum": ""}, order="sorted"))
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
