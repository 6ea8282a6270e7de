import pytest

from mdm.demo import faults, wrong_rows


@pytest.mark.parametrize(
    ("written", "otherwise"), [("EK 1234567", "EK1234567"), ("EW0000001", "EW 0000001"), ("EEP1234567", "EEP1234567")]
)
def test_a_meter_id_is_spaced_otherwise_where_there_is_room(written: str, otherwise: str) -> None:
    assert wrong_rows.respaced(written) == otherwise


def test_faults_cover_the_rules_that_a_row_can_break() -> None:
    listed = wrong_rows.listed()
    assert len({row.kind for row in listed}) == len(listed)
    rules = {row.rule for row in listed} | {1, 2, 24, 34, 35}
    assert rules >= set(range(1, 40)) - {10, 13, 22, 38}
    assert len(faults.kinds()) == len(listed) + len(faults.COMPOSITE)
