"""The simulator's Bedrock faces, used through AWS's own client: signatures, event streams and all."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import botocore.config
import botocore.exceptions
import botocore.session
import httpx
import pytest

from providers.simulator.process import SimulatorProcess
from tests.system.faces import BOX, CALLED, FLAGS, KEY, QUESTION, TIME, WEATHER, last_row, root

TOOLS: Any = {
    "tools": [
        {"toolSpec": {"name": "get_weather", "description": "The weather", "inputSchema": {"json": WEATHER}}},
        {"toolSpec": {"name": "get_time", "description": "The time", "inputSchema": {"json": TIME}}},
    ]
}
CLAUDE_THINKS: Any = {"thinking": {"type": "enabled", "budget_tokens": 1_024}}


pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""botocore drops a connection that a server has closed without closing its own end of it."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start(FLAGS) as running:
        yield running


def connect(simulator: SimulatorProcess, secret: str = KEY) -> Any:
    config = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={})
    return botocore.session.Session().create_client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=f"{root(simulator)}/bedrock",
        aws_access_key_id="AKIASIMULATED",
        aws_secret_access_key=secret,
        aws_session_token="a session",
        config=config,
    )


@pytest.fixture(scope="module")
def client(simulator: SimulatorProcess) -> Iterator[Any]:
    with closing(connect(simulator)) as one:
        yield one


def said(text: str) -> Any:
    return [{"role": "user", "content": [{"text": text}]}]


def ask(client: Any, text: str = "What is rain?", model: str = "sim-small", **more: Any) -> Any:
    return client.converse(**{"modelId": model, "messages": said(text), **more})


def streamed(client: Any, text: str = "What is rain?", model: str = "sim-small", **more: Any) -> list[Any]:
    return list(client.converse_stream(**{"modelId": model, "messages": said(text), **more})["stream"])


def test_a_question_is_answered_and_metered_as_the_bill_says(client: Any, simulator: SimulatorProcess) -> None:
    answer = ask(client, system=[{"text": "cached:" + "y" * 33}])
    message, usage, row = answer["output"]["message"], answer["usage"], last_row(simulator)
    assert message["content"][0]["text"].startswith("You asked: What is rain? Reference")
    assert (message["role"], answer["stopReason"], usage["cacheReadInputTokens"]) == ("assistant", "end_turn", 10)
    assert usage["inputTokens"] + usage["cacheReadInputTokens"] == row["prompt_tokens"]
    assert (usage["outputTokens"], row["model"], row["billed"]) == (row["completion_tokens"], "sim-small", True)
    assert answer["ResponseMetadata"]["RequestId"] == row["call_id"]


def test_a_stream_adds_up_to_the_whole_answer(client: Any) -> None:
    whole, events = ask(client), streamed(client)
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(deltas) == whole["output"]["message"]["content"][0]["text"]
    assert [name for event in events[-2:] for name in event] == ["messageStop", "metadata"]
    assert events[-1]["metadata"]["usage"] == whole["usage"]
    assert not any("contentBlockStart" in event for event in events)


def test_the_limits_end_an_answer_with_their_own_words(client: Any) -> None:
    assert ask(client, inferenceConfig={"maxTokens": 3})["stopReason"] == "max_tokens"
    stopped = ask(client, "one two three", inferenceConfig={"stopSequences": ["two"]})
    assert (stopped["stopReason"], stopped["output"]["message"]["content"]) == (
        "stop_sequence",
        [{"text": "You asked: one "}],
    )


def gathered(events: list[Any]) -> list[Any]:
    """The content blocks of a streamed message."""
    blocks: dict[int, Any] = {}
    for event in events:
        if start := event.get("contentBlockStart"):
            blocks[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": ""}}
        if piece := event.get("contentBlockDelta"):
            delta, at = piece["delta"], piece["contentBlockIndex"]
            if "toolUse" in delta:
                blocks[at]["toolUse"]["input"] += delta["toolUse"]["input"]
            elif "reasoningContent" in delta:
                thought = blocks.setdefault(at, {"reasoningContent": {"reasoningText": {}}})
                text = thought["reasoningContent"]["reasoningText"]
                for name, value in delta["reasoningContent"].items():
                    text[name] = text.get(name, "") + value
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return [blocks[at] for at in sorted(blocks)]


def results(content: list[Any]) -> Any:
    ids = [block["toolUse"]["toolUseId"] for block in content if "toolUse" in block]
    words = [[{"text": "sunny"}], [{"json": {"hour": 12}}]]
    pairs = zip(ids, words, strict=True)
    return [{"toolResult": {"toolUseId": one, "content": word, "status": "success"}} for one, word in pairs]


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_at_once_and_their_results_answered(client: Any, stream: bool) -> None:
    if stream:
        content = gathered(streamed(client, QUESTION, toolConfig=TOOLS))
    else:
        answer = ask(client, QUESTION, toolConfig=TOOLS)
        assert answer["stopReason"] == "tool_use"
        content = answer["output"]["message"]["content"]
    assert [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in content] == CALLED
    turns = [*said(QUESTION), {"role": "assistant", "content": content}, {"role": "user", "content": results(content)}]
    final = ask(client, messages=turns, toolConfig=TOOLS)
    assert 'sunny {"hour":12}' in final["output"]["message"]["content"][0]["text"]


def test_the_choice_of_tools_is_kept(client: Any) -> None:
    def choose(text: str, choice: Any, **more: Any) -> list[str]:
        answer = ask(client, text, toolConfig={**TOOLS, "toolChoice": choice}, **more)
        return [block["toolUse"]["name"] for block in answer["output"]["message"]["content"] if "toolUse" in block]

    assert choose("Hello", {"tool": {"name": "get_time"}}) == ["get_time"]
    assert choose("Hello", {"any": {}}) == ["get_weather"]
    assert choose("Hello", {"auto": {}}) == []
    alone = {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    assert choose(QUESTION, {"auto": {}}, additionalModelRequestFields=alone) == ["get_weather"]


def test_a_schema_is_kept(client: Any) -> None:
    named = {"name": "box", "schema": json.dumps(BOX)}
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": named}}}
    answer = ask(client, "A box", outputConfig=form)
    assert answer["output"]["message"]["content"][0]["text"] == '{"name":"A box","size":"small"}'


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_are_signed_and_taken_back_only_with_their_signature(client: Any, stream: bool) -> None:
    more = {"toolConfig": TOOLS, "additionalModelRequestFields": CLAUDE_THINKS}
    content = (
        gathered(streamed(client, QUESTION, **more))
        if stream
        else ask(client, QUESTION, **more)["output"]["message"]["content"]
    )
    thought = content[0]["reasoningContent"]["reasoningText"]
    assert "I know what to say" in thought["text"]

    def go_on() -> Any:
        answer = {"role": "assistant", "content": content}
        turns = [*said(QUESTION), answer, {"role": "user", "content": results(content)}]
        return ask(client, messages=turns, **more)["output"]["message"]["content"][1]["text"]

    assert "sunny" in go_on()
    thought["signature"] = "Zm9yZ2Vk"
    with pytest.raises(client.exceptions.ValidationException, match="Invalid `signature`"):
        go_on()


def test_pictures_and_documents_are_counted(client: Any) -> None:
    picture = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
    document = {"document": {"format": "pdf", "name": "a file", "source": {"bytes": b"%PDF"}}}
    bare = ask(client)
    full = ask(client, messages=[{"role": "user", "content": [{"text": "What is rain?"}, picture, document]}])
    assert full["usage"]["inputTokens"] == bare["usage"]["inputTokens"] + 2 * 85


def test_embeddings_come_in_both_shapes(client: Any, simulator: SimulatorProcess) -> None:
    titan = client.invoke_model(modelId="sim-embed", body=json.dumps({"inputText": "12345", "dimensions": 64}))
    body = json.loads(titan["body"].read())
    assert (len(body["embedding"]), body["inputTextTokenCount"], last_row(simulator)["prompt_tokens"]) == (64, 2, 2)
    several = json.dumps({"texts": ["12345", "x"], "input_type": "search_query"})
    cohere = client.invoke_model(modelId="sim-embed", body=several)
    rows = json.loads(cohere["body"].read())["embeddings"]
    assert [len(row) for row in rows] == [256, 256]
    assert cohere["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-input-token-count"] == "3"


TEXT = {"text": "Hi"}
USE = {"toolUse": {"toolUseId": "t1", "name": "get_time", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "t1", "content": [{"text": "noon"}]}}


def turns(*contents: Any) -> Any:
    return [{"role": "assistant" if n % 2 else "user", "content": content} for n, content in enumerate(contents)]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "assistant", "content": [TEXT]}]}, "must start with a user message"),
    ({"messages": [*turns([TEXT]), *turns([TEXT])]}, "must alternate between user and assistant roles"),
    ({"messages": turns([{"text": " "}])}, "messages.0.content.0 is blank"),
    ({"messages": turns([])}, "at messages.0 is empty"),
    ({"system": [{"text": ""}]}, "system.0 is blank"),
    ({"messages": turns([TEXT], [USE], [RESULT])}, "toolConfig field must be defined"),
    ({"messages": turns([TEXT], [USE]), "toolConfig": TOOLS}, "Expected toolResult blocks at messages.2.content"),
    ({"messages": turns([TEXT], [USE], [TEXT]), "toolConfig": TOOLS}, "for the following Ids: t1"),
    ({"messages": turns([TEXT], [TEXT], [RESULT]), "toolConfig": TOOLS}, "exceeds the number of toolUse blocks"),
    ({"inferenceConfig": {"temperature": 1.5}}, "inferenceConfig.temperature"),
    ({"toolConfig": {"tools": []}}, "toolConfig.tools"),
    ({"toolConfig": {"tools": [{"toolSpec": {"name": "a b", "inputSchema": {"json": TIME}}}]}}, "regular expression"),
    (
        {"toolConfig": {"tools": [{"toolSpec": {"name": "a", "description": "", "inputSchema": {"json": TIME}}}]}},
        "description",
    ),
    ({"toolConfig": {"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": {}}}}]}}, "inputSchema.json.type"),
    ({"messages": turns([{"image": {"format": "bmp", "source": {"bytes": "AAAA"}}}])}, "format of the image"),
    ({"messages": turns([{"image": {"format": "png", "source": {"bytes": "?"}}}])}, "not valid base64"),
    (
        {"messages": turns([{"document": {"format": "pdf", "name": "a", "source": {"bytes": "AAAA"}}}])},
        "text block is required",
    ),
    (
        {"messages": turns([TEXT, {"document": {"format": "pdf", "name": "a.pdf", "source": {"bytes": "AAAA"}}}])},
        "document file name",
    ),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_the_provider_refuses_is_refused_in_its_words(
    simulator: SimulatorProcess, changes: dict[str, Any], words: str
) -> None:
    body = {"messages": turns([TEXT]), **changes}
    address = f"{root(simulator)}/bedrock/model/sim-small/converse"
    reply = httpx.post(address, json=body, headers={"authorization": f"Bearer {KEY}"}, trust_env=False)
    assert (reply.status_code, reply.headers["x-amzn-errortype"].split(":")[0]) == (400, "ValidationException")
    assert re.search(words, reply.json()["message"])


@pytest.mark.parametrize(
    ("model", "status", "name", "words"),
    [
        ("sim-400", 400, "ValidationException", "simulated"),
        ("sim-401", 403, "UnrecognizedClientException", "security token"),
        ("sim-403", 403, "AccessDeniedException", "simulated"),
        ("sim-404", 404, "ResourceNotFoundException", "simulated"),
        ("claude-9", 400, "ValidationException", "The provided model identifier is invalid"),
        ("sim-429", 429, "ThrottlingException", "Too many requests"),
        ("sim-500", 500, "InternalServerException", "simulated"),
        ("sim-503", 503, "ServiceUnavailableException", "simulated"),
        ("sim-529", 503, "ServiceUnavailableException", "simulated"),
        ("sim-context", 400, "ValidationException", "prompt is too long: 9 tokens > 8 maximum"),
        ("sim-filter", 400, "ValidationException", "content filtering policy"),
    ],
)
def test_a_refusing_model_answers_the_provider_s_error(
    client: Any, model: str, status: int, name: str, words: str
) -> None:
    with pytest.raises(botocore.exceptions.ClientError, match=words) as caught:
        ask(client, model=model)
    assert caught.value.response["Error"]["Code"] == name
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_stream_may_break_off_with_an_exception(client: Any) -> None:
    events: list[Any] = []
    with pytest.raises(botocore.exceptions.EventStreamError, match="internalServerException"):
        events.extend(client.converse_stream(modelId="sim-stream-error", messages=said("Hi"))["stream"])


def test_a_signature_is_checked_in_full(simulator: SimulatorProcess, client: Any) -> None:
    refused = pytest.raises(botocore.exceptions.ClientError, match="security token")
    with closing(connect(simulator, "another secret")) as wrong, refused:
        ask(wrong)
    strange = "arn:aws:bedrock:eu-west-1::model/a b"
    with pytest.raises(botocore.exceptions.ClientError, match="model identifier is invalid"):
        ask(client, model=strange)  # the signature of a path with escapes was good

    def tamper(request: Any, **_: object) -> None:
        request.body = request.body.replace(b"rain", b"snow")

    with closing(connect(simulator)) as tampered:
        assert ask(tampered)["stopReason"] == "end_turn"
        tampered.meta.events.register("before-send.bedrock-runtime.Converse", tamper)
        with pytest.raises(botocore.exceptions.ClientError, match="security token"):
            ask(tampered)
