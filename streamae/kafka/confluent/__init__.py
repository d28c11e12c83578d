"""Source and writer over confluent-kafka: librdkafka reads and writes outside Python."""

from streamae.kafka.confluent.source import ConfluentSource
from streamae.kafka.confluent.writer import ConfluentWriter

__all__ = ["ConfluentSource", "ConfluentWriter"]
