"""The azure dialect: where calls go, and what old versions of its API are spared."""

from typing import Any

import openai
import orjson
import pytest

from providers.completion import Endpoint
from providers.credential import Auth
from providers.dialects import WireRequest, dialect
from providers.failure import Failure
from tests.dialects.wire import KEY, target

RESOURCE = "https://acme.openai.azure.com"
MESSAGES = [{"role": "user", "content": "hi"}]


def encode(base_url: str, version: str | None = None, endpoint: Endpoint = Endpoint.CHAT, **body: Any) -> WireRequest:
    stream = bool(body.pop("stream", False))
    settings = (("api_version", version),) if version else ()
    deployment = target(dialect="azure", base_url=base_url, settings=settings, auth=Auth.AZURE, model="my gpt/5")
    content = orjson.dumps({"messages": MESSAGES, **body})
    wire = dialect("azure").encode(endpoint, content, deployment, stream=stream)
    assert isinstance(wire, WireRequest), wire
    return wire


@pytest.mark.parametrize(
    ("base_url", "version", "expected"),
    [
        (RESOURCE, None, "/openai/deployments/my%20gpt%2F5/chat/completions?api-version=2024-10-21"),
        (
            f"{RESOURCE}/openai",
            "2025-04-01",
            "/openai/deployments/my%20gpt%2F5/chat/completions?api-version=2025-04-01",
        ),
        (f"{RESOURCE}/openai/v1", None, "/openai/v1/chat/completions"),
        (f"{RESOURCE}/openai/v1", "preview", "/openai/v1/chat/completions?api-version=preview"),
        (f"{RESOURCE}/models", None, "/models/chat/completions?api-version=2024-05-01-preview"),
    ],
)
def test_the_address_names_the_deployment_or_the_version(base_url: str, version: str | None, expected: str) -> None:
    assert encode(base_url, version).url == RESOURCE + expected


@pytest.mark.parametrize("name", [".", ".."])
def test_a_deployment_cannot_name_another_place(name: str) -> None:
    deployment = target(dialect="azure", base_url=RESOURCE, auth=Auth.AZURE, model=name)
    failure = dialect("azure").encode(Endpoint.CHAT, orjson.dumps({"messages": MESSAGES}), deployment)
    assert isinstance(failure, Failure)
    assert failure.param == "model"


def test_embeddings_have_the_same_kinds_of_address() -> None:
    wire = encode(RESOURCE, endpoint=Endpoint.EMBEDDINGS)
    assert wire.url == f"{RESOURCE}/openai/deployments/my%20gpt%2F5/embeddings?api-version=2024-10-21"


def test_the_classic_address_is_the_one_that_the_vendors_client_calls() -> None:
    client = openai.AzureOpenAI(azure_endpoint=RESOURCE, api_key=KEY, api_version="2024-10-21")
    built = client._build_request(
        openai._models.FinalRequestOptions.construct(
            method="post", url="/chat/completions", json_data={"model": "gpt-5", "messages": MESSAGES}
        )
    )
    deployment = target(dialect="azure", base_url=RESOURCE, auth=Auth.AZURE, model="gpt-5")
    wire = dialect("azure").encode(Endpoint.CHAT, orjson.dumps({"messages": MESSAGES}), deployment)
    assert isinstance(wire, WireRequest)
    assert wire.url == str(built.url)
    assert dict(wire.headers)["api-key"] == built.headers["api-key"] == KEY


def test_the_key_travels_in_its_own_header_and_not_as_a_bearer() -> None:
    headers = dict(encode(RESOURCE).headers)
    assert headers["api-key"] == KEY
    assert "authorization" not in headers


def test_versions_before_todays_fields_get_the_fields_of_their_time() -> None:
    old = encode(RESOURCE, "2024-06-01", stream=True, max_completion_tokens=9, parallel_tool_calls=True)
    body = orjson.loads(old.content)
    assert body == {"model": "my gpt/5", "messages": MESSAGES, "stream": True, "max_tokens": 9}
    new = encode(RESOURCE, "2024-10-21", stream=True, max_completion_tokens=9)
    body = orjson.loads(new.content)
    assert body["max_completion_tokens"] == 9
    assert body["stream_options"] == {"include_usage": True}


def test_a_dated_version_spares_nothing_where_the_address_is_not_classic() -> None:
    wire = encode(f"{RESOURCE}/models", "2024-05-01-preview", stream=True)
    assert orjson.loads(wire.content)["stream_options"] == {"include_usage": True}
