"""The OpenAPI document holds what it promises: schemathesis makes requests from it and checks the answers."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from earthgptx.inference.assistant import Assistant
from earthgptx.serving.app import create_app
from earthgptx.serving.guard import SECURITY_HEADERS
from earthgptx.serving.settings import Settings
from tests.serving.conftest import BASE, Dictated, serving, upload

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


# Schemathesis' own pytest plugin lags behind pytest's major releases; hypothesis runs its strategies as well.
SCHEMA = schemathesis.openapi.from_dict(create_app(Settings(), lambda: Assistant(Dictated())).openapi())
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def running() -> Any:
    with serving(max_scenes=5) as client:
        client.scene = upload(client)["id"]
        ask = {"question": "What is this?"}
        client.answer = client.post(f"/scenes/{client.scene}/ask", json=ask).json()["id"]
        yield client


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_address_answers_as_its_document_says(operation: Any, running: Any):
    @settings(max_examples=10, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def check(case: schemathesis.Case) -> None:
        if case.method == "DELETE":
            case.path_parameters = {"scene_id": "none"}  # or the others would have no scene to speak of
        elif "scene_id" in (case.path_parameters or {}):
            case.path_parameters |= {"scene_id": running.scene}
            if "answer_id" in case.path_parameters:
                case.path_parameters |= {"answer_id": running.answer}
        sent = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
        response = running.request(sent.method, sent.url, content=sent.body, headers=dict(sent.headers))
        case.validate_response(response, checks=CHECKS)
        assert response.headers["x-content-type-options"] == SECURITY_HEADERS["X-Content-Type-Options"]

    check()
