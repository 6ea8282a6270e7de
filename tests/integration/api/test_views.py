"""A service sees its own views, and no other."""

from http import HTTPStatus

import httpx
import pytest

from tests.integration.api.conftest import Api


def test_service_is_shown_its_own_views_alone(service: httpx.Client) -> None:
    listed = service.get("/v1/views").json()["views"]
    assert [(view["name"], view["recipient"]) for view in listed] == [
        ("mss-appointment", "BOLT"),
        ("mss-metering-point", "BOLT"),
    ]


def test_view_tells_where_it_stands(api: Api, service: httpx.Client) -> None:
    view = service.get("/v1/views/mss-appointment").json()
    seq, count, digest = api.market.head("mss-appointment", "BOLT")
    assert (view["sequence"], view["count"], view["digest"]) == (seq, count, digest)


def test_without_a_key_every_view_is_refused(api: Api) -> None:
    with api.client() as client:
        for path in ("", "/mss-appointment", "/mss-appointment/snapshot", "/mss-appointment/changes"):
            refused = client.get(f"/v1/views{path}")
            assert refused.status_code == HTTPStatus.UNAUTHORIZED
            assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["", "/snapshot", "/changes"])
@pytest.mark.parametrize("name", ["msa-appointment", "umso-metering-point", "mds-metering-point"])
def test_view_of_another_role_is_refused(service: httpx.Client, name: str, path: str) -> None:
    assert service.get(f"/v1/views/{name}{path}").status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("recipient", ["KITE", "NOBODY"])
def test_view_of_another_recipient_is_refused_whether_it_exists_or_not(service: httpx.Client, recipient: str) -> None:
    refused = service.get("/v1/views/mss-appointment/changes", params={"recipient": recipient})
    assert refused.status_code == HTTPStatus.FORBIDDEN


def test_key_without_the_scope_is_refused(api: Api) -> None:
    with api.steward("golden:read") as client:
        refused = client.get("/v1/views")
    assert refused.status_code == HTTPStatus.FORBIDDEN
    assert "view:read" in refused.json()["detail"]


def test_key_for_all_views_names_the_recipient(api: Api) -> None:
    with api.steward("view:read-all") as client:
        assert client.get("/v1/views/mss-appointment").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert client.get("/v1/views/mss-appointment?recipient=KITE").json()["count"] == 1
        assert {view["recipient"] for view in client.get("/v1/views").json()["views"]} >= {"BOLT", "KITE", "SETL"}


def test_unknown_view_is_not_found(service: httpx.Client) -> None:
    assert service.get("/v1/views/nothing").status_code == HTTPStatus.NOT_FOUND


def test_recipient_without_views_is_told_so(api: Api) -> None:
    with api.service("NOVA") as client:
        missing = client.get("/v1/views/mss-appointment/snapshot")
    assert missing.status_code == HTTPStatus.NOT_FOUND
    assert "first appointment" in missing.json()["detail"]
