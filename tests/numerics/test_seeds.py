import itertools

import torch

from streamae.numerics.seeds import generator


def test_same_name_same_numbers() -> None:
    a, b = generator(0, "t/0", 3, "corruption"), generator(0, "t/0", 3, "corruption")
    assert torch.equal(torch.rand(5, generator=a), torch.rand(5, generator=b))


def test_numbers_are_those_of_every_process() -> None:
    assert generator(0, "t/0", 0, "encoder").initial_seed() == 8218206752297224494


def test_every_part_of_the_name_counts() -> None:
    names = itertools.product((0, 1), ("t/1", "t/11"), (0, 1), ("encoder", "corruption"))
    assert len({generator(*name).initial_seed() for name in names}) == 16
