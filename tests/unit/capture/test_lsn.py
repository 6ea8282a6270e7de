"""An LSN sorts as a number and reads as PostgreSQL writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.capture.lsn import Lsn


@given(st.integers(0, 2**64 - 1))
def test_what_is_printed_is_read_again(number: int) -> None:
    assert Lsn.parse(str(Lsn(number))) == number


def test_it_is_printed_as_postgresql_prints_it() -> None:
    assert f"{Lsn(0x16_B374D848)}" == "16/B374D848"
    assert str(Lsn.parse("0/0000000a")) == "0/A"


def test_it_sorts_as_a_position_and_not_as_text() -> None:
    assert Lsn.parse("9/0") < Lsn.parse("10/0")


@pytest.mark.parametrize("text", ["", "0", "/", "0/", "g/0", "0/0/0", "-1/0", "123456789/0", " 0/0"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an LSN"):
        Lsn.parse(text)
