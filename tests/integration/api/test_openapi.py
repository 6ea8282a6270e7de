"""The API keeps to what its OpenAPI document says, whatever is sent to it."""

from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.integration.api.conftest import Api

STEWARDS = tuple(
    f"/v1/{path}"
    for path in ("tasks", "quarantine", "conflicts", "consistency", "decisions", "overrides", "corrections", "matches")
)
JUDGED = ("/v1/decisions", "/v1/overrides")  # whether a value can stand is for the catalogue and the rules to say

BOUNDED = settings(
    max_examples=10,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_answers_are_as_documented(api: Api) -> None:
    """Send each operation what its schema allows and what it does not; every answer is one that is documented."""
    service = api.key("view:read", "golden:read", role="MSS", recipient="BOLT")
    steward = api.key("steward:read", "steward:write", "steward:approve")
    described = schemathesis.openapi.from_url(f"{api.url}/v1/openapi.json")
    for operation in [found.ok() for found in described.get_all_operations() if isinstance(found, Ok)]:

        @BOUNDED
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            for name in ("wait", "cursor", "sort"):  # it takes time; it is another page's; it goes with some states
                case.query.pop(name, None)
            case.headers.pop("Idempotency-Key", None)  # it stands for one request, and here each is another
            headers = {"Authorization": f"Bearer {steward if case.path.startswith(STEWARDS) else service}"}
            excluded = [positive_data_acceptance] if case.path.startswith(JUDGED) else []
            case.call_and_validate(headers=headers, timeout=30, excluded_checks=excluded)

        send()


def test_document_has_examples_and_says_which_operations_need_a_key(api: Api) -> None:
    document = httpx.get(f"{api.url}/v1/openapi.json").json()
    assert document["paths"]["/v1/views/{name}/changes"]["get"]["security"] == [{"bearer": []}]
    answer = document["paths"]["/v1/views/{name}/changes"]["get"]["responses"]["200"]["content"]
    assert set(answer) == {"application/json", "application/x-ndjson", "application/xml"}
    assert answer["application/json"]["example"]["entries"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
