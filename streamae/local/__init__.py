"""The embedded mode: files and memory instead of Kafka, with the same guarantee."""

from streamae.local.archive import FileArchive
from streamae.local.checks import check_outputs, check_state
from streamae.local.host import HostSource
from streamae.local.labels import FileLabels
from streamae.local.letters import FileSender
from streamae.local.memory import MemoryLabels, MemoryLog, MemorySink, MemorySource
from streamae.local.offsets import FileOffsets
from streamae.local.sink import FileSink
from streamae.local.source import FileSource, is_pipe, named
from streamae.local.state import DirectoryStore, snapshot_directory

__all__ = [
    "DirectoryStore",
    "FileArchive",
    "FileLabels",
    "FileOffsets",
    "FileSender",
    "FileSink",
    "FileSource",
    "HostSource",
    "MemoryLabels",
    "MemoryLog",
    "MemorySink",
    "MemorySource",
    "check_outputs",
    "check_state",
    "is_pipe",
    "named",
    "snapshot_directory",
]
