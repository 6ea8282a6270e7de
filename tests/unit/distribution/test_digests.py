"""The digest of a view, and the recipe that is published for it."""

import json
import re
import textwrap
from typing import Any

from mdm.distribution import digests

MESSAGES = {
    1: {"data_sender_id": "EELC", "data_created_date": "2026-01-15T12:00:00.000000Z", "meter_id": 'L "1" \u00e9\x01/'},
    2: {"data_sender_id": "SOUT", "data_created_date": "2026-01-16T12:00:00.000000Z", "meter_id": "L 2"},
}
BODIES = [
    (key, json.dumps({"meter_id": said["meter_id"]}, separators=(",", ":"), ensure_ascii=False))
    for key, said in MESSAGES.items()
]


def published_recipe() -> Any:
    """Return the function that the module's documentation gives to services."""
    found = re.search(r"(    import hashlib.*?:064x}\")", digests.__doc__ or "", re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(textwrap.dedent(found[1]), names)  # noqa: S102 - the recipe is what is under test
    return names["digest"]


def test_published_recipe_gives_the_digest() -> None:
    assert published_recipe()(MESSAGES) == digests.of_rows(BODIES)


def test_published_recipe_has_at_most_ten_lines() -> None:
    found = re.search(r"def digest.*?:064x}\"", digests.__doc__ or "", re.DOTALL)
    assert found is not None
    assert len(found[0].splitlines()) <= 10


def test_digest_does_not_depend_on_the_order_of_rows() -> None:
    assert digests.of_rows(BODIES) == digests.of_rows(reversed(BODIES))


def test_digest_tells_a_changed_row() -> None:
    assert digests.of_rows(BODIES) != digests.of_rows([BODIES[0], (2, '{"meter_id":"L 3"}')])


def test_digest_tells_rows_whose_keys_are_exchanged() -> None:
    (one, first), (two, second) = BODIES
    assert digests.of_rows(BODIES) != digests.of_rows([(two, first), (one, second)])


def test_no_rows_have_the_digest_of_nothing() -> None:
    assert digests.of_rows([]) == digests.NOTHING
