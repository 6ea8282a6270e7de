"""Choosing: which decision the options of a command mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mdm.deciding import desk
from mdm.deciding.orders import Refused, Terms
from mdm.stewardship.decisions import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The options as they were given."""

    take: str | None = None
    values: Mapping[str, Any] | None = None
    accept_until: str | None = None
    ask: bool = False
    dismiss: bool = False
    merge: bool = False
    not_a_match: bool = False
    expires: str | None = None
    review: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be decided."""
        is_of_match = self.merge or self.not_a_match
        return not (self.take or self.values or self.accept_until or self.ask or self.dismiss or is_of_match)


def choose(wish: Wish) -> tuple[Kind, Terms]:
    """Return the decision that is meant, and its terms; raises Refused where none is, or several are."""
    meant = {
        Kind.ASK: wish.ask,
        Kind.TAKE: wish.take is not None and not wish.ask,
        Kind.ENTER: wish.values is not None and not wish.ask,
        Kind.ACCEPT: wish.accept_until is not None,
        Kind.DISMISS: wish.dismiss,
        Kind.MERGE: wish.merge,
        Kind.NOT_A_MATCH: wish.not_a_match,
    }
    kinds = [kind for kind, is_meant in meant.items() if is_meant]
    if len(kinds) != 1:
        raise Refused(
            "Give one of --take SOURCE, --value ITEM=VALUE, --accept-until DAY, --ask, --dismiss, --merge and "
            "--not-a-match."
        )
    return kinds[0], Terms(
        source=wish.take,
        values=wish.values,
        until=desk.moment(wish.accept_until),
        expires_at=desk.moment(wish.expires),
        review_at=desk.moment(wish.review),
    )
