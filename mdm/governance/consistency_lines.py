"""The measure of consistency in lines, as a person reads it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any


def lines(measure: Mapping[str, Any]) -> Iterator[str]:
    """Tell the measure, the address of metering points first."""
    yield from _address(measure)
    yield ""
    yield from _items(measure)
    yield ""
    yield from _times(measure)


def _address(measure: Mapping[str, Any]) -> Iterator[str]:
    if not measure["address"]:
        yield "No two systems hold the address of a metering point yet."
        return
    yield "The address of a metering point is the same in"
    for each in measure["address"]:
        pair = " and ".join(each["kinds"])
        yield f"  {pair:14} {_share(each):>9}  {each['held'] - each['differing']:,} of {each['held']:,}"
    yield f"What differs is as of now; what both hold was counted {_ago(measure)}."


def _items(measure: Mapping[str, Any]) -> Iterator[str]:
    differing = [each for each in measure["items"] if each["differing"]]
    for each in sorted(differing, key=lambda each: each["share"] or 0.0):
        name = f"{each['entity']} {each['item']}"
        yield f"  {name:38} {' and '.join(each['systems']):18} {_share(each):>9}  {each['differing']:,} differ"
    agreeing = len(measure["items"]) - len(differing)
    yield f"All agree on {agreeing:,} of {len(measure['items']):,} items by pair of systems (--json lists them)."


def _times(measure: Mapping[str, Any]) -> Iterator[str]:
    whole = measure["time_of_all"]
    if whole is None:
        yield "In the last day no owner changed a value that another system holds."
        return
    since = f"{whole['changes']:,} changes since {whole['since']:%F %R}"
    yield f"From the owner's commit until all copies agree, of {since}:"
    for each in (whole, *measure["times"]):
        name = f"{each['entity']} {each['item']}" if each["item"] else "all items"
        waiting = f", {each['waiting']:,} still wait" if each["waiting"] else ""
        yield f"  {name:38} {_seconds(each)}, {each['changes']:,} changes{waiting}"


def _seconds(each: Mapping[str, Any]) -> str:
    named = ((name, each[f"{name}_seconds"]) for name in ("p50", "p95", "p99"))
    return ", ".join(f"{name} {'-' if seconds is None else f'{seconds:.3f} s'}" for name, seconds in named)


def _share(each: Mapping[str, Any]) -> str:
    return "-" if each["share"] is None else f"{each['share']:.3%}"


def _ago(measure: Mapping[str, Any]) -> str:
    counted: datetime | None = measure["held_as_of"]
    return "never" if counted is None else f"{(measure['as_of'] - counted).total_seconds():.0f} s ago"
