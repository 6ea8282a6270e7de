"""The measure of consistency by brute force: every two systems' values of every golden record, compared one by one.

It knows the catalogue and what sources say, and neither conflicts nor the SQL that compares.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import psycopg

from golden_records import catalogue
from golden_records.survivorship import UNDATED

Pair = tuple[str, str, str, str]
"""Group, item (`lines` for those of an address together), and the names of two systems in the order of their ids."""


def count(connection: psycopg.Connection) -> dict[Pair, tuple[int, int]]:
    """Return for each item and pair of systems on how many golden records both hold it, and on how many they differ."""
    held: Counter[Pair] = Counter()
    differing: Counter[Pair] = Counter()
    for item_group, said in _spoken(connection):
        for (one, its), (other, others) in combinations(sorted(said.items()), 2):
            for item in its.keys() & others.keys():
                pair = (item_group, item, one[1], other[1])
                held[pair] += 1
                differing[pair] += its[item] != others[item]
    return {pair: (held[pair], differing[pair]) for pair in held}


def _spoken(connection: psycopg.Connection) -> Iterator[tuple[str, dict[tuple[int, str], dict[str, set[str]]]]]:
    """Yield for each golden record and group what each system says, in the form in which values are compared.

    Of an address that several points have a system may say several things; of all else the last word stands.
    """
    query = """
        select r.golden_id, r.item_group, r.source_id, s.name, r.item_values,
               r.item_group = 'address' and r.effective_from is null
        from golden.source_record r
        join golden.source_system s using (source_id)
        where r.item_group = any (%s) or coalesce(r.effective_from, '-infinity') <= now()
                                         and coalesce(r.effective_to, 'infinity') > now()
        order by r.effective_from nulls first, r.change_id
    """
    found: dict[tuple[int, str], dict[tuple[int, str], dict[str, set[str]]]] = defaultdict(dict)
    for golden_id, item_group, source_id, name, values, is_one_of_many in connection.execute(query, [list(UNDATED)]):
        systems = found[golden_id, item_group]
        said = systems.setdefault((source_id, name), {}) if is_one_of_many else {}
        for item, form in _forms(item_group, values).items():
            said.setdefault(item, set()).add(form)
        systems[source_id, name] = said
    for (_, group), spoken in found.items():
        yield group, spoken


def _forms(item_group: str, values: Mapping[str, Any]) -> dict[str, str]:
    forms: dict[str, str] = {}
    for item in next(group for _, group in catalogue.load().groups() if group.name == item_group).items:
        value = values.get(item.name)
        match item.comparison:
            case _ if value is None:
                continue
            case "none":
                continue
            case "line":
                forms["lines"] = forms.get("lines", "") + re.sub(r"[\W_]", "", str(value)).upper()
            case "number":
                forms[item.name] = str(value).replace(" ", "").lstrip("0") or "0"
            case "code":
                forms[item.name] = str(value).replace(" ", "").upper()
            case _:
                forms[item.name] = str(value)
    return forms
