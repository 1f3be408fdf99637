"""The four forms of the algorithm, as the numbers in which they differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """What a form of the algorithm asks of the discriminator and of the generator.

    ``leeway``: the supervised head has the class "unknown", to which each negative row gives 1 - alpha.
    ``unknown``: the unsupervised head tells known from unknown real rows; without it, only real from fake.
    ``bad_generator``: the generator matches features at the border of the data, instead of being taken for real.
    """

    leeway: bool
    unknown: bool
    bad_generator: bool


VARIANTS = {
    "full": Variant(leeway=True, unknown=True, bad_generator=True),
    "without_bad_generator": Variant(leeway=True, unknown=True, bad_generator=False),
    "without_leeway": Variant(leeway=False, unknown=False, bad_generator=True),
    "vanilla": Variant(leeway=False, unknown=False, bad_generator=False),
}
