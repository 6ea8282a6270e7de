"""What a demo says at its end."""

from io import StringIO

from rich.console import Console

from mdm.demo import summary
from mdm.demo.checks import Check
from mdm.demo.comparison import Comparison
from mdm.demo.filling import Filled
from mdm.demo.found_faults import FaultKind, Finding
from mdm.demo.ledger import Summary
from mdm.demo.looks import Look
from mdm.demo.summary import Ended

EQUAL = Check(name="meters", expected=3, found=3)
UNEQUAL = Check(name="addresses", expected=3, found=2, look="See golden.address.")
LOOK = Look(sources=(), golden={}, feed=0, conflicts=0, violations=0, quarantined=0)
WORK = Summary(happenings={}, transactions=1, changes=2, changes_by_source={}, faults=(), seconds=1.0)


def fault(*, rule: int, finding: Finding, found: int, planted: int = 2) -> FaultKind:
    return FaultKind(kind=f"breach of {rule}", rule=rule, finding=finding, planted=planted, found=found)


def said(*checks: Check, faults: tuple[FaultKind, ...] = ()) -> tuple[bool, str]:
    comparison = Comparison(checks=checks, faults=faults, left_out=0)
    ended = Ended(
        filled=Filled(metering_points=9, seed=1, loaded=None),
        work=WORK,
        last=LOOK,
        comparison=comparison,
        seconds={"changes": 1.0},
    )
    console = Console(file=StringIO(), width=120)
    summary.show(ended, console)
    assert isinstance(console.file, StringIO)
    assert ended.as_json()["agrees"] == comparison.agrees
    return comparison.agrees, console.file.getvalue()


def test_agreement_is_said_when_every_check_agrees() -> None:
    agrees, text = said(EQUAL)

    assert agrees
    assert "views and journal agree" in text


def test_a_difference_is_said_with_where_to_look() -> None:
    agrees, text = said(EQUAL, UNEQUAL)

    assert not agrees
    assert "DIFFERS (1 missing). See golden.address." in text
    assert "There are DIFFERENCES" in text


def test_a_planted_fault_that_was_not_found_is_a_difference() -> None:
    missed = fault(rule=11, finding=Finding.QUARANTINE, found=1)
    agrees, text = said(EQUAL, faults=(missed,))

    assert not agrees
    assert "MISSED 1 in quarantine" in text


def test_what_is_to_be_a_match_and_is_none_is_a_difference() -> None:
    agrees, text = said(EQUAL, faults=(fault(rule=39, finding=Finding.MATCH, found=1),))

    assert not agrees
    assert "MISSED 1 in matches" in text
