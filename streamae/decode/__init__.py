"""Record values to columns of numbers, or to reasons why not."""

from streamae.decode.decoder import Decoded, Decoder, Reject
from streamae.decode.event_time import first_at
from streamae.decode.parse import MAX_TIMESTAMP_MS
from streamae.decode.rejects import Reason

__all__ = ["MAX_TIMESTAMP_MS", "Decoded", "Decoder", "Reason", "Reject", "first_at"]
