"""A policy to be tried is read from a file, or refused with what is wrong."""

from pathlib import Path

import pytest

from mdm.audit import policies
from mdm.audit.policies import PolicyFault


def test_a_file_changes_the_rankings_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("metering_point:\n  groups:\n    gsp:\n      survivorship: [MDS, SMRS]\n")

    (group,) = policies.read(file)

    assert (group.name, group.survivorship, group.owner) == ("gsp", ("MDS", "SMRS"), "distributor")


@pytest.mark.parametrize(("text", "said"), [("a: [", "not YAML"), ("[]", "not understood"), ("{}", "changes no")])
def test_a_file_that_is_no_policy_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)

    with pytest.raises(PolicyFault, match=said):
        policies.read(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyFault, match=r"nothing\.yaml: cannot be read"):
        policies.read(tmp_path / "nothing.yaml")
