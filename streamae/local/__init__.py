"""The embedded mode: files and memory instead of Kafka, with the same guarantee."""

from streamae.local.host import HostSource
from streamae.local.memory import MemoryLog, MemorySink, MemorySource
from streamae.local.sink import FileSink
from streamae.local.source import FileSource
from streamae.local.state import DirectoryStore

__all__ = [
    "DirectoryStore",
    "FileSink",
    "FileSource",
    "HostSource",
    "MemoryLog",
    "MemorySink",
    "MemorySource",
]
