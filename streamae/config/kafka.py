"""The keys of the connection to Kafka."""

from typing import Annotated, Literal

from streamae.config.section import Section, about
from streamae.config.values import Duration, Secret


class KafkaConfig(Section, frozen=True):
    client: Annotated[
        Literal["kafka-python", "confluent"],
        about(
            "`confluent` takes a third to half less CPU; it needs `streamae[confluent]` installed."
        ),
    ] = "kafka-python"
    bootstrap_servers: Annotated[tuple[str, ...], about("`host:port` of one or more brokers.")] = (
        "localhost:9092",
    )
    group: Annotated[str | None, about("Consumer group; default: `name`.")] = None
    instance: Annotated[
        str | None,
        about("Stable name of this worker: static membership, and its transactional id."),
    ] = None
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], about("As Kafka names it.")
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, about("With SASL protocols.")
    ] = None
    sasl_username: Annotated[str | None, about("With SASL mechanisms.")] = None
    sasl_password: Annotated[Secret | None, about("With SASL mechanisms; prefer a file.")] = None
    sasl_password_file: Annotated[str | None, about("File that holds the password.")] = None
    ssl_cafile: Annotated[str | None, about("PEM file of the authorities to trust.")] = None
    ssl_certfile: Annotated[str | None, about("PEM file of the client certificate.")] = None
    ssl_keyfile: Annotated[str | None, about("PEM file of the client key.")] = None
    ssl_key_password: Annotated[Secret | None, about("Of an encrypted `ssl_keyfile`.")] = None
    ssl_check_hostname: Annotated[bool, about("Compare the broker's name and certificate.")] = True
    session_timeout: Annotated[
        Duration, about("The group gives partitions away after this silence.")
    ] = Duration(10)
    max_poll_interval: Annotated[
        Duration, about("The group gives partitions away when no poll comes for so long.")
    ] = Duration(300)
    transaction_timeout: Annotated[
        Duration,
        about("The broker aborts a dead worker's transaction after it; readers wait until then."),
    ] = Duration(15)
    connect_timeout: Annotated[
        Duration, about("Exit 69 when no broker answers at start for so long.")
    ] = Duration(30)
