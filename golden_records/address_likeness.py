"""How alike two addresses are: flat, plot, number, building, street, place, postcode, UPRN. Pure.

Another flat or another number is another address, however alike the rest; so is a landlord's supply beside a flat. A
plot may become any number once its street is named, so that it is neither for nor against.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from golden_records import likeness
from golden_records.likeness import Candidate, Part, Verdict
from golden_records.placeholders import is_placeholder

LINES = tuple(f"line_{number}" for number in range(1, 10))
COLUMNS = (*LINES, "postcode", "uprn")
PROPOSED_FROM = 80
_SAME_TOWN = 0.7
_SAME_STREET = 0.65
_MISSPELT = 80

_WAYS = {
    "STREET": "ST", "ROAD": "RD", "LANE": "LN", "AVENUE": "AVE", "AV": "AVE", "CLOSE": "CL", "DRIVE": "DR",
    "WAY": "WAY", "GARDENS": "GDNS", "GDN": "GDNS", "CRESCENT": "CRES", "PLACE": "PL", "SQUARE": "SQ",
    "TERRACE": "TER", "GROVE": "GRO", "HILL": "HILL", "RISE": "RISE", "ROW": "ROW", "WALK": "WALK",
    "MEWS": "MEWS", "PARADE": "PDE", "GREEN": "GRN",
}  # fmt: skip
_BUILDINGS = {"COURT": "CT", "HOUSE": "HSE", "BUILDINGS": "BLDGS", "BUILDING": "BLDG", "APARTMENTS": "APTS"}
_SHORT = _WAYS | _BUILDINGS | {"SAINT": "ST", "NORTH": "N", "SOUTH": "S", "EAST": "E", "WEST": "W", "AND": ""}
_STREETS = frozenset(_WAYS.values())
_FLAT = re.compile(r"\b(FLAT|APARTMENT|APT|UNIT|ROOM|SUITE|MAISONETTE)S?\s+(?:NO\s+)?(\d+[A-Z]?|[A-Z])\b")
_PLOT = re.compile(r"\bPLOT\s+(?:NO\s+)?(\d+[A-Z]?)\b")
_LANDLORD = re.compile(r"\bLAND ?LORDS?\b|\bCOMMUNAL\b|\bSTAIRCASE LIGHTING\b")
_NUMBERED_BUILDING = re.compile(
    r"(?:^|\| )(\d+[A-Z]?) (?=[A-Z ]+ (?:COURT|CT|HOUSE|HSE|MANSIONS|LODGE|TOWER|HEIGHTS|POINT|APARTMENTS)(?: \||$))"
)
_NUMBER = re.compile(r"^\d+[A-Z]?$")
_MARKS = re.compile(r"[^A-Z0-9]+")
_AREA = re.compile(r"^[A-Z]{1,2}(?=\d)")
_POSTCODE = re.compile(r"^([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An address taken apart; None and nothing where it does not say."""

    golden_id: int
    flat: str | None = None
    plot: str | None = None
    is_landlord: bool = False
    numbers: frozenset[str] = field(default_factory=frozenset)
    street: str = ""
    rest: str = ""
    postcode: str | None = None
    uprn: str | None = None

    @property
    def outward(self) -> str | None:
        """The first half of the postcode."""
        known = _POSTCODE.match(self.postcode or "")
        return known[1] if known else None

    @property
    def area(self) -> str:
        """The letters with which the postcode begins: the town around which it lies."""
        known = _AREA.match(self.postcode or "")
        return known[0] if known else ""

    @property
    def says_where(self) -> bool:
        """Whether it names anything that can be alike."""
        return bool(self.street or self.rest or self.numbers)

    @property
    def facts(self) -> str:
        """All that is compared, in one text."""
        told = (self.flat, self.plot, self.is_landlord, sorted(self.numbers), self.street, self.rest)
        return repr((*told, self.postcode, self.uprn))


def parse(golden_id: int, items: Mapping[str, Any]) -> Place:
    """Take an address apart. Lines that are placeholders say nothing."""
    said = [str(items[line]) for line in LINES if items.get(line)]
    written = [line for line in said if not is_placeholder(line)]
    lines = [_MARKS.sub(" ", line).strip() for line in ",".join(written).upper().replace("'", "").split(",")]
    text = " | ".join(filter(None, lines))
    flat, plot = _FLAT.search(text), _PLOT.search(text)
    bare = _LANDLORD.sub(" ", _PLOT.sub(" ", _FLAT.sub(" ", text)))
    numbered = None if flat else _NUMBERED_BUILDING.search(bare)
    if numbered:
        bare = bare[: numbered.start(1)] + bare[numbered.end(1) :]
    numbers, street, rest = _words(bare)
    postcode = None if is_placeholder(items.get("postcode")) else _MARKS.sub("", str(items["postcode"]).upper())
    return Place(
        golden_id=golden_id,
        flat=flat[2] if flat else numbered[1] if numbered else None,
        plot=plot[1] if plot else None,
        is_landlord=_LANDLORD.search(text) is not None,
        numbers=frozenset(numbers),
        street=street,
        rest=rest,
        postcode=postcode,
        uprn=None if is_placeholder(items.get("uprn")) else str(items["uprn"]).lstrip("0"),
    )


def _words(text: str) -> tuple[list[str], str, str]:
    """Return the numbers of a text, its street, and the other words in order of the alphabet."""
    numbers, street, rest = list[str](), "", list[str]()
    for line in text.split("|"):
        words = line.split()
        numbers += [word.lstrip("0") or "0" for word in words if _NUMBER.match(word)]
        named = [short for word in words if not _NUMBER.match(word) and (short := _SHORT.get(word, word))]
        if not street and len(named) > 1 and (place := _end_of_street(named, is_numbered=words[0] in numbers)):
            street, named = " ".join(named[:place]), named[place:]
        rest += named
    return numbers, street, " ".join(sorted({*rest}))


def _end_of_street(words: Sequence[str], *, is_numbered: bool) -> int | None:
    """Return where the name of a street ends: behind the word that says what kind of way it is.

    What stands behind a number is a street although that word is misspelt or left out.
    """
    end = next((place for place, word in enumerate(words, 1) if place > 1 and word in _STREETS), None)
    return end or (len(words) if is_numbered else None)


def keys(place: Place) -> Iterator[tuple[str, bool]]:
    """Yield the keys under which an address is compared, and whether each is derived; none where it says nothing.

    Of two that share a derived key one must say it as it is: within a postcode, one that says no number; in any town
    that has a street of the name, one that says no postcode.
    """
    if place.uprn:
        yield f"U|{place.uprn}", False
    if not place.says_where:
        return
    numbers = ",".join(sorted(place.numbers))
    detail = f"{numbers}|{place.flat or ''}|{place.plot or ''}"
    first_word = place.street.partition(" ")[0] or place.rest.partition(" ")[0]
    if place.postcode:
        yield f"P|{place.postcode}|{detail}", False
        yield f"B|{place.postcode}", bool(place.numbers or place.flat or place.plot)
    if place.outward:
        yield f"O|{place.outward}|{first_word}|{detail}", False
    if place.street and (place.numbers or place.flat or place.plot):
        yield f"S|{place.street}|{detail}", place.postcode is not None


def compare(pairs: Sequence[tuple[Place, Place]]) -> list[Candidate]:
    """Score pairs of addresses, the one with the smaller id first."""
    if not pairs:
        return []
    lefts, rights = ([each.street for each in side] for side in zip(*pairs, strict=True))
    streets = process.cpdist(lefts, rights, scorer=fuzz.token_sort_ratio)
    return [_candidate(left, right, float(street) / 100) for (left, right), street in zip(pairs, streets, strict=True)]


def _candidate(left: Place, right: Place, street: float) -> Candidate:
    told = (
        _flat(left, right),
        _landlord(left, right),
        _plot(left, right),
        _number(left, right),
        _street(left, right, street),
        _rest(left, right),
        _postcode(left, right),
        _uprn(left, right),
    )
    parts = [part for part in told if part is not None]
    facts = hashlib.sha256(f"{left.facts}\n{right.facts}".encode()).hexdigest()[:32]
    return Candidate(
        left_id=left.golden_id,
        right_id=right.golden_id,
        score=likeness.score(parts),
        parts=parts,
        facts=facts,
        has_equal_key=left.uprn is not None and left.uprn == right.uprn,
    )


def _flat(left: Place, right: Place) -> Part | None:
    if left.flat and right.flat and left.flat != right.flat:
        return likeness.against("flat", weight=25)
    for one, other in ((left, right), (right, left)):
        if one.flat and not other.flat and one.flat in other.numbers and other.numbers != one.numbers:
            return likeness.graded("flat", 0.9, weight=25)  # "3, Mill Court" beside "Flat 3, Mill Court"
    return likeness.exact("flat", left.flat, right.flat, weight=25, silent=0.1)


def _landlord(left: Place, right: Place) -> Part | None:
    if left.is_landlord != right.is_landlord:
        return likeness.against("landlord's supply", weight=25)
    return likeness.graded("landlord's supply", 1.0, weight=10) if left.is_landlord else None


def _plot(left: Place, right: Place) -> Part | None:
    if left.plot and right.plot and left.plot != right.plot:
        return likeness.against("plot", weight=25)
    return likeness.exact("plot", left.plot, right.plot, weight=25, silent=0.3)


def _number(left: Place, right: Place) -> Part | None:
    flats = {left.flat, right.flat}
    here, there = left.numbers - flats, right.numbers - flats
    if not here and not there:
        return None
    if not here or not there:
        return Part(part="number", verdict=Verdict.ONE_SILENT, likeness=0.3, weight=25)
    if here == there:
        return likeness.graded("number", 1.0, weight=25)
    return (
        likeness.graded("number", 0.8, weight=25)
        if here < there or there < here
        else likeness.against("number", weight=25)
    )


def _street(left: Place, right: Place, ratio: float) -> Part | None:
    """Compare streets; a street that one of them does not name as such may stand among its other words."""
    if not left.street and not right.street:
        return None
    if left.street and right.street:
        ways = {left.street.rpartition(" ")[2], right.street.rpartition(" ")[2]} & _STREETS
        if ratio < _SAME_STREET or len(ways) > 1:
            return likeness.against("street", weight=25)
        return likeness.graded("street", ratio, weight=25)
    contained = _contained((left.street or right.street).split(), f"{left.rest} {right.rest}".split())
    return Part(part="street", verdict=Verdict.ONE_SILENT, likeness=max(0.9 * contained, 0.4), weight=25)


def _rest(left: Place, right: Place) -> Part | None:
    """Compare building, locality, town and county, of which the one may say more than the other.

    Towns share the names of their streets: without a postcode on both sides, they have to be the same.
    """
    contained = _contained(left.rest.split(), right.rest.split()) if left.rest and right.rest else 0.0
    is_placed = left.postcode is not None and right.postcode is not None
    if not (left.rest and right.rest):
        return likeness.exact("building and place", left.rest or None, right.rest or None, weight=20)
    if not is_placed and contained < _SAME_TOWN:
        return likeness.against("building and place", weight=20)
    return likeness.graded("building and place", contained, weight=20)


def _contained(left: Sequence[str], right: Sequence[str]) -> float:
    """Return the share of the words of the shorter text that the other has, letters that were mistaken aside."""
    few, many = sorted((left, right), key=len)
    missing = [word for word in few if word not in many]
    near = sum(any(fuzz.ratio(word, other) >= _MISSPELT for other in many) for word in missing)
    return (len(few) - len(missing) + near) / len(few)


def _postcode(left: Place, right: Place) -> Part | None:
    """Compare postcodes: one letter may be mistaken; two streets of one town may well bear one name."""
    if left.postcode is None or right.postcode is None or left.postcode == right.postcode:
        return likeness.exact("postcode", left.postcode, right.postcode, weight=20, silent=0.5)
    if left.area != right.area:
        return likeness.against("postcode", weight=20)
    if OSA.distance(left.postcode, right.postcode, score_cutoff=1) <= 1:
        return Part(part="postcode", verdict=Verdict.ALIKE, likeness=0.6, weight=20)
    return Part(part="postcode", verdict=Verdict.DIFFERENT, likeness=0.1, weight=20)


def _uprn(left: Place, right: Place) -> Part | None:
    """Say nothing where only one has a UPRN: most copies carry none."""
    if left.uprn is None or right.uprn is None:
        return None
    if left.uprn != right.uprn:
        return Part(part="UPRN", verdict=Verdict.DIFFERENT, likeness=0.0, weight=50)
    return likeness.graded("UPRN", 1.0, weight=60)
