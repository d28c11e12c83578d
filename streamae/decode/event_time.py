"""Where in a log an event time is reached."""

from collections.abc import Iterable

from streamae.config import RecordConfig
from streamae.decode.decoder import Decoder
from streamae.types import RecordBatch


def first_at(batches: Iterable[RecordBatch], config: RecordConfig, timestamp_ms: int) -> int | None:
    """Return the offset of the first valid record with that event time or a later one, if any."""
    decoder: Decoder | None = None
    for batch in batches:
        decoder = decoder or Decoder(config, batch.columns)
        decoded = decoder.decode(batch)
        rows = decoded.rows[decoded.timestamps_ms >= timestamp_ms]
        if rows.size:
            return int(batch.offsets[rows[0]])
    return None
