"""The rules as an operator's file (MDM_RULES) chooses them."""

from pathlib import Path

import yaml

from mdm.errors import MdmError
from rules import registry
from rules.configuration import RulesMisread


class RulesUnsound(MdmError):
    """The file of MDM_RULES cannot be read, or chooses what cannot be chosen."""

    exit_code = 2


def put_in_force(file: Path) -> None:
    """Put the rules in force as a file chooses them, in this process; raises RulesUnsound."""
    try:
        registry.configure(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise RulesUnsound(f"MDM_RULES: {file} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise RulesUnsound(f"MDM_RULES: {file} is no YAML in UTF-8. Write it as '8: {{is_on: false}}'.") from error
    except RulesMisread as error:
        raise RulesUnsound(
            f"MDM_RULES: {file} is not taken: {error}. Correct it; 'mdm rules list' shows the rules."
        ) from error
