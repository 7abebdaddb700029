"""A sequence whose length is known and whose items are made when somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

_Item = TypeVar("_Item", covariant=True)


class Later(Sequence[_Item], Generic[_Item]):
    """Rejected records, mostly: with ``eok,qui`` only their number is of interest.

    Args:
        length: How many items there are.
        make: Makes them, in order.
    """

    def __init__(self, length: int, make: Callable[[], Sequence[_Item]]) -> None:
        self._length = length
        self._make = make
        self._made: Sequence[_Item] | None = None

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> _Item: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[_Item]: ...

    def __getitem__(self, index: int | slice) -> _Item | Sequence[_Item]:
        if self._made is None:
            self._made = self._make()
        return self._made[index]
