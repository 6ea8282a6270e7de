"""Keys open what they were issued for, until they expire or are revoked."""

import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
import pytest

from mdm import db
from mdm.api import keys
from mdm.api.keys import Grant, KeyUnknown, Scope
from tests.integration.api.conftest import Api


def status(api: Api, key: str) -> int:
    with api.client(key) as client:
        return client.get("/v1/views").status_code


@pytest.mark.parametrize("key", ["x", "mdm_", "mdm__", "mdm_00000000_x", "mdm_\u00e9_x", "a_b_c"])
def test_key_that_was_never_issued_is_refused(api: Api, key: str) -> None:
    refused = httpx.get(f"{api.url}/v1/views", headers={b"Authorization": b"Bearer " + key.encode()})
    assert refused.status_code == HTTPStatus.UNAUTHORIZED
    assert "invalid_token" in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["", "Bearer", "Basic eDp5"])
def test_anything_but_a_bearer_key_is_refused(api: Api, header: str) -> None:
    refused = httpx.get(f"{api.url}/v1/views", headers={"Authorization": header})
    assert refused.status_code == HTTPStatus.UNAUTHORIZED


def test_right_prefix_with_another_secret_is_refused(api: Api) -> None:
    key = api.key("view:read-all")
    assert status(api, key) == HTTPStatus.OK
    assert status(api, key[:-1] + ("A" if key[-1] != "A" else "B")) == HTTPStatus.UNAUTHORIZED


def test_revoked_key_is_refused_at_once_though_it_was_used_before(api: Api) -> None:
    key = api.key("view:read-all")
    assert status(api, key) == HTTPStatus.OK
    with db.transaction(api.market.connection):
        keys.revoke(api.market.connection, key.split("_")[1])
    deadline = time.monotonic() + 2
    while status(api, key) == HTTPStatus.OK:
        assert time.monotonic() < deadline
    assert status(api, key) == HTTPStatus.UNAUTHORIZED


def test_expired_key_is_refused(api: Api) -> None:
    grant = Grant(
        name="old", purpose="test", scopes=[Scope.VIEW_READ_ALL], expires_at=datetime.now(UTC) - timedelta(seconds=1)
    )
    with db.transaction(api.market.connection):
        key = keys.create(api.market.connection, grant)
    assert status(api, key) == HTTPStatus.UNAUTHORIZED
    assert next(each for each in keys.list_keys(api.market.connection) if each.grant.name == "old").state == "expired"


def test_secret_is_not_stored(api: Api) -> None:
    secret = api.key("view:read-all").split("_", 2)[2]
    for (row,) in api.market.rows("select k::text from hub.api_key k"):
        assert secret not in row


def test_key_cannot_be_revoked_twice(api: Api) -> None:
    prefix = api.key("view:read-all").split("_")[1]
    keys.revoke(api.market.connection, prefix)
    with pytest.raises(KeyUnknown, match="mdm key list"):
        keys.revoke(api.market.connection, prefix)
