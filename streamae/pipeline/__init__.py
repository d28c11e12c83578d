"""Everything that belongs to one input partition, as a pure function of its log."""

from streamae.pipeline.pipeline import Pipeline
from streamae.pipeline.processed import Examined, Processed, Rejected

__all__ = ["Examined", "Pipeline", "Processed", "Rejected"]
