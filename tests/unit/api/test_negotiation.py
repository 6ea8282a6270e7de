"""Accept decides which of the offered media types is given."""

from http import HTTPStatus

import pytest
from fastapi import Request

from mdm.api import negotiation
from mdm.api.negotiation import JSON, NDJSON, XML
from mdm.api.problems import Problem

OFFERED = (JSON, NDJSON, XML)


def request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": pairs})


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", JSON),
        ("application/xml", XML),
        ("text/xml", XML),
        ("application/x-ndjson", NDJSON),
        ("application/json;q=0.5, application/xml", XML),
        ("application/*;q=0.2, application/x-ndjson;q=0.9", NDJSON),
        ("application/json;q=0, */*", NDJSON),
        ("", JSON),
    ],
)
def test_most_liked_type_is_chosen(accept: str, chosen: str) -> None:
    assert negotiation.choose(request(accept=accept), OFFERED) == chosen


def test_without_accept_the_first_type_is_given() -> None:
    assert negotiation.choose(request(), OFFERED) == JSON


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*"])
def test_type_that_is_not_offered_is_refused_with_those_that_are(accept: str) -> None:
    with pytest.raises(Problem, match="application/json") as refused:
        negotiation.choose(request(accept=accept), (JSON,))
    assert refused.value.status is HTTPStatus.NOT_ACCEPTABLE


@pytest.mark.parametrize(
    ("encoding", "takes"), [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("", False)]
)
def test_gzip_is_given_to_those_who_take_it(encoding: str, takes: bool) -> None:  # noqa: FBT001 - a table's column
    assert negotiation.takes_gzip(request(accept_encoding=encoding)) is takes
