"""What a partition's features become before the detector sees them. One file per transform.

Numerics like the detector's: arrays in, arrays out, no clock, no log, and whatever `auto` decides
is a function of the partition's first block.
"""

from streamae.transforms.block import Block
from streamae.transforms.inputs import Context, Inputs
from streamae.transforms.transforms import Transforms

__all__ = ["Block", "Context", "Inputs", "Transforms"]
