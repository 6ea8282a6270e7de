"""Whatever pairs are to be merged at once: each golden record is merged away once, and each group ends as one."""

from hypothesis import given
from hypothesis import strategies as st

from mdm.deciding import joining
from mdm.merging import Merge

Pairs = list[tuple[int, int]]

pairs = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)).filter(lambda pair: pair[0] != pair[1]), max_size=20)


def ends(merges: list[Merge]) -> dict[int, int]:
    """Carry merges out in order, as the store allows them: neither side is merged away already."""
    into: dict[int, int] = {}
    for each in merges:
        assert each.survivor not in into
        assert each.retired not in into
        into[each.retired] = each.survivor
    return into


def end(into: dict[int, int], golden_id: int) -> int:
    while golden_id in into:
        golden_id = into[golden_id]
    return golden_id


@given(pairs)
def test_both_of_each_pair_end_as_the_lowest_id_of_their_group(given_pairs: Pairs) -> None:
    joined = joining.join(given_pairs)
    into = ends([each.merge for each in joined if each.merge])
    assert sorted(each.place for each in joined) == list(range(len(given_pairs)))
    for each in joined:
        left, right = given_pairs[each.place]
        assert end(into, left) == end(into, right) == each.group
        assert each.group <= min(left, right)


@given(pairs)
def test_each_pair_is_merged_as_it_was_proposed(given_pairs: Pairs) -> None:
    for each in joining.join(given_pairs):
        if each.merge:
            assert {each.merge.survivor, each.merge.retired} == set(given_pairs[each.place])


@given(pairs)
def test_rounds_hold_all_merges_and_none_in_which_one_both_survives_and_goes(given_pairs: Pairs) -> None:
    merges = [each.merge for each in joining.join(given_pairs) if each.merge]
    found = [*joining.rounds(merges)]
    assert sorted(map(str, (each for some in found for each in some))) == sorted(map(str, merges))
    for some in found:
        assert not {each.survivor for each in some} & {each.retired for each in some}
    ends([each for some in found for each in some])


def test_merges_in_a_ring_come_as_they_are_so_that_they_are_refused() -> None:
    ring = [Merge(survivor=1, retired=2), Merge(survivor=2, retired=1)]
    assert [*joining.rounds(ring)] == [ring]
