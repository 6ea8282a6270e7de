"""A changed survivorship policy as a person writes it: the catalogue's own form, of it only what is to be another.

metering_point:
  groups:
    energisation:
      survivorship: [SMRS, appointed, MSS, MSA, UMSO, MDS]
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from golden_records import catalogue, declarations
from golden_records.catalogue import Group
from mdm.errors import MdmError

_FORM = "Write it as the catalogue does: entity, groups, name of the group, survivorship."


class PolicyFault(MdmError):
    """The file says no policy that could be tried."""

    exit_code = 2


def read(path: Path) -> list[Group]:
    """Read the groups of items whose ranking a file changes; raises PolicyFault."""
    try:
        declared = declarations.read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyFault(f"{path}: cannot be read ({error.strerror}). Name a file that exists.") from error
    except yaml.YAMLError as error:
        raise PolicyFault(f"{path}: not YAML. {' '.join(str(error).split())}") from error
    return parse(declared)


def parse(declared: Any) -> list[Group]:
    """Return the groups that a declaration changes, with their new rankings; raises PolicyFault."""
    known = {(entity.name, group.name): group for entity, group in catalogue.load().groups()}
    changed = [_group(known, entity, name, said) for entity, name, said in _declared_groups(declared)]
    if not changed:
        raise PolicyFault(f"The policy changes no ranking. {_FORM}")
    return changed


def _declared_groups(declared: Any) -> Iterator[tuple[str, str, Any]]:
    for entity, said in _mapping(declared).items():
        for name, group in _mapping(_mapping(said).get("groups")).items():
            yield entity, name, group


def _group(known: Mapping[tuple[str, str], Group], entity: str, name: str, said: Any) -> Group:
    group = known.get((entity, name))
    if group is None:
        raise PolicyFault(f"The catalogue has no group {name} of {entity}. Correct the name.")
    ranking = _mapping(said).get("survivorship")
    allowed = {kind for each in known.values() for kind in each.survivorship}
    if not isinstance(ranking, list) or not ranking or not set(ranking) <= allowed:
        raise PolicyFault(f"{entity}, {name}: survivorship is a list of {', '.join(sorted(allowed))}.")
    if not group.follows_appointment and "appointed" in ranking:
        raise PolicyFault(f"{entity}, {name}: no metering service owns these items, so 'appointed' ranks nobody here.")
    return replace(group, survivorship=tuple(ranking))


def _mapping(said: Any) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise PolicyFault(f"The policy is not understood. {_FORM}")
    return said
