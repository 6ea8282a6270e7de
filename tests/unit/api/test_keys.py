"""What a key may be granted."""

import pytest

from mdm.api.keys import Grant, KeyUnsound


def grant(*scopes: str, role: str | None = None, recipient: str | None = None) -> Grant:
    return Grant.parse(name="bolt", purpose="test", scopes=scopes, role=role, recipient=recipient, expires_at=None)


def test_service_key_has_role_and_recipient() -> None:
    assert grant("view:read", role="mss", recipient="BOLT").role == "MSS"


@pytest.mark.parametrize(
    ("scopes", "role", "recipient", "advice"),
    [
        (("view:read",), "MSS", None, "--recipient"),
        (("view:read",), None, None, "view:read-all"),
        (("view:read-all",), "MSS", "BOLT", "exclude"),
        (("everything",), None, None, "golden:read"),
        (("golden:read",), "KING", "BOLT", "MSA"),
    ],
)
def test_contradictory_grant_is_refused_with_advice(
    scopes: tuple[str, ...], role: str | None, recipient: str | None, advice: str
) -> None:
    with pytest.raises(KeyUnsound, match=advice):
        grant(*scopes, role=role, recipient=recipient)
