"""Joining: pairs that are to be merged at once and may share golden records, each golden record merged away once.

Pairs that hang together are a tree below their lowest id: whoever is further from it is merged into whoever is nearer,
so that each pair is merged as it was proposed, and can be split alone again. A pair that others join already has
nothing left to merge.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mdm.merging import Merge

_Neighbours = Mapping[int, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What becomes of one of the pairs: its place among them, the lowest id of its group, its merge if it has one."""

    place: int
    group: int
    merge: Merge | None


def join(pairs: Sequence[tuple[int, int]]) -> list[Joined]:
    """Return what becomes of each pair, in an order in which nothing is merged into what is merged away already."""
    neighbours: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for place, (left, right) in enumerate(pairs):
        neighbours[left].append((right, place))
        neighbours[right].append((left, place))
    joined: list[Joined] = []
    reached: set[int] = set()
    for golden_id in sorted(neighbours):
        if golden_id not in reached:
            joined += _below(golden_id, neighbours, reached)
    return joined


def _below(root: int, neighbours: _Neighbours, reached: set[int]) -> list[Joined]:
    """Go through a group from its lowest id outwards; what is furthest comes first."""
    reached.add(root)
    found: dict[int, Joined] = {}
    row = deque([root])
    while row:
        survivor = row.popleft()
        for other, place in sorted(neighbours[survivor]):
            if place in found:
                continue
            merge = None if other in reached else Merge(survivor=survivor, retired=other)
            found[place] = Joined(place=place, group=root, merge=merge)
            if merge is not None:
                reached.add(other)
                row.append(other)
    return [*found.values()][::-1]


def rounds(merges: Sequence[Merge]) -> Iterator[list[Merge]]:
    """Yield merges in rounds, so that in none of them a golden record both survives and is merged away."""
    left = list(merges)
    while left:
        survivors = {each.survivor for each in left}
        ready = [each for each in left if each.retired not in survivors]
        yield ready or left
        left = [each for each in left if each.retired in survivors] if ready else []
