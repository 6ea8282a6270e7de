"""Approvals: which decisions another person has to approve before they take effect, as the hub is configured."""

from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from golden_records.catalogue import Classification
from mdm.errors import MdmError
from mdm.stewardship.decisions import Kind


class ApprovalsUnsound(MdmError):
    """The file that says which decisions want approval cannot be used."""

    exit_code = 2


class Policy(BaseModel):
    """Which decisions want a second pair of eyes. Without a file none does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classifications: frozenset[Classification] = Field(
        frozenset(), description="values of items so classified, when they are overridden"
    )
    bulk_above: int | None = Field(None, ge=0, description="decisions on more tasks than this at once")
    kinds: frozenset[Kind] = Field(frozenset(), description="kinds of decision, such as merge")

    def wanted(self, kind: Kind, *, classified: Iterable[Classification], tasks: int) -> str | None:
        """Say why a decision wants approval; None where it does not."""
        if kind in self.kinds:
            return f"every decision of the kind {kind} wants approval"
        if self.bulk_above is not None and tasks > self.bulk_above:
            return f"it decides on {tasks:,} tasks, and more than {self.bulk_above:,} at once want approval"
        touched = sorted(self.classifications & set(classified))
        return f"it sets values that are {', '.join(touched)}" if touched else None


NONE = Policy()


def load(path: Path | None) -> Policy:
    """Read the policy's file, YAML; raises ApprovalsUnsound, which says what to mend."""
    if path is None:
        return NONE
    try:
        return Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise ApprovalsUnsound(f"{path} cannot be read ({error.strerror}). Correct MDM_APPROVALS.") from None
    except yaml.YAMLError:
        raise ApprovalsUnsound(f"{path} is no YAML. Correct it, or leave MDM_APPROVALS out.") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ApprovalsUnsound(f"{path} does not say what wants approval: {faults}. Correct it.") from None
