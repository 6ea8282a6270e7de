from collections import defaultdict

from mdm.demo import contracts, reference
from mdm.demo.reference import Role


def test_distributor_20_has_twelve_groups_and_an_independent_network_all_fourteen() -> None:
    groups: dict[str, set[str]] = defaultdict(set)
    for area in reference.distributor_areas():
        groups[area.distributor].add(area.gsp_group)
    assert groups["17"] == {"_P", "_N"}
    assert len(groups["20"]) == 12
    assert "_H" in groups["20"]
    assert len(groups["24"]) == 14
    assert len(groups) == 14 + 15


def test_every_role_of_the_market_is_taken() -> None:
    assert len(reference.mpids(Role.MSS)) >= 2
    assert all(reference.mpids(role) for role in Role)
    assert all(participant.distributors for participant in reference.participants() if participant.role is Role.UMSO)


def test_portfolio_contracts_have_references_of_their_own() -> None:
    portfolio = list(contracts.portfolio())
    assert len({(contract.supplier_mpid, contract.reference) for contract in portfolio}) == len(portfolio)
    assert max(len(contract.reference) for contract in portfolio) <= 10
