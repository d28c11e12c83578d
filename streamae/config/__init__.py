"""The configuration: its keys, and nothing that reads them until asked to."""

from streamae.config.hyperparameters import DetectorConfig
from streamae.config.section import Section
from streamae.config.sections import (
    CHANGE,
    AlertingConfig,
    CommitConfig,
    Config,
    DeadLetterConfig,
    HttpConfig,
    KafkaConfig,
    LabelsConfig,
    LogConfig,
    OutputConfig,
    RecordConfig,
    SourceConfig,
    StateConfig,
)
from streamae.config.values import Budget, Duration, Secret, Size, Span, parse_budget

__all__ = [
    "CHANGE",
    "AlertingConfig",
    "Budget",
    "CommitConfig",
    "Config",
    "DeadLetterConfig",
    "DetectorConfig",
    "Duration",
    "HttpConfig",
    "KafkaConfig",
    "LabelsConfig",
    "LogConfig",
    "OutputConfig",
    "RecordConfig",
    "Secret",
    "Section",
    "Size",
    "SourceConfig",
    "Span",
    "StateConfig",
    "parse_budget",
]
