"""The simulator's Gemini face, used through Google's own client, at the developer's address and at Vertex."""

import json
import re
from collections.abc import Iterator
from typing import Any

import google.auth.credentials
import httpx
import pytest
from google import genai
from google.genai import errors, types

from providers.simulator.process import SimulatorProcess
from tests.system.faces import BOX, CALLED, FLAGS, KEY, QUESTION, TIME, WEATHER, last_row, root

TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name="get_weather", description="The weather", parameters_json_schema=WEATHER),
            types.FunctionDeclaration(name="get_time", description="The time", parameters_json_schema=TIME),
        ]
    )
]
MANUAL = types.AutomaticFunctionCallingConfig(disable=True)


class Token(google.auth.credentials.Credentials):  # type: ignore[misc]
    """A token that is already there."""

    def __init__(self) -> None:
        super().__init__()
        self.token = KEY

    def refresh(self, request: object) -> None:
        raise AssertionError("the token is fresh")


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start(FLAGS) as running:
        yield running


def developer(simulator: SimulatorProcess, key: str = KEY) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=f"{root(simulator)}/gemini"))


@pytest.fixture(params=["gemini", "vertex"])
def client(simulator: SimulatorProcess, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    if request.param == "gemini":
        one = developer(simulator)
    else:
        options = types.HttpOptions(base_url=f"{root(simulator)}/vertex", headers={"authorization": f"Bearer {KEY}"})
        one = genai.Client(vertexai=True, project="p", location="eu", credentials=Token(), http_options=options)
    with one:
        yield one


def ask(client: genai.Client, text: Any = "What is rain?", model: str = "sim-small", **config: Any) -> Any:
    options = types.GenerateContentConfig(**{"automatic_function_calling": MANUAL, **config})
    return client.models.generate_content(model=model, contents=text, config=options)


def test_a_question_is_answered_and_metered_as_the_bill_says(client: genai.Client, simulator: SimulatorProcess) -> None:
    answer = ask(client, system_instruction="cached:" + "y" * 33, candidate_count=2)
    assert answer.text.startswith("You asked: What is rain? Reference")
    assert [one.finish_reason for one in answer.candidates] == [types.FinishReason.STOP] * 2
    assert answer.candidates[1].content.parts[0].text.endswith("Choice 2.")
    row, usage = last_row(simulator), answer.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (row["prompt_tokens"], row["completion_tokens"])
    assert (usage.cached_content_token_count, answer.model_version) == (10, "sim-small")
    assert usage.total_token_count == row["prompt_tokens"] + row["completion_tokens"]
    assert row["billed"]


def test_a_stream_adds_up_to_the_whole_answer(client: genai.Client) -> None:
    whole = ask(client)
    chunks = list(client.models.generate_content_stream(model="sim-small", contents="What is rain?"))
    assert len(chunks) > 3
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates][-1] == types.FinishReason.STOP
    assert chunks[-1].usage_metadata == whole.usage_metadata


def test_the_limits_end_an_answer(client: genai.Client) -> None:
    assert ask(client, max_output_tokens=3).candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert ask(client, "one two three", stop_sequences=["two"]).text == "You asked: one "


def calls_of(answer: Any) -> list[tuple[str, Any]]:
    return [(call.name, call.args) for call in answer.function_calls or []]


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_at_once_and_their_results_answered(client: genai.Client, stream: bool) -> None:
    if stream:
        config = types.GenerateContentConfig(tools=TOOLS, automatic_function_calling=MANUAL)
        chunks = client.models.generate_content_stream(model="sim-small", contents=QUESTION, config=config)
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
        parts = [part for part in parts if part.function_call]
    else:
        parts = ask(client, QUESTION, tools=TOOLS).candidates[0].content.parts
    assert [(part.function_call.name, part.function_call.args) for part in parts] == CALLED
    responses = [
        types.Part.from_function_response(name="get_weather", response={"result": "sunny"}),
        types.Part.from_function_response(name="get_time", response={"hour": 12, "minute": 0}),
    ]
    asked = types.Content(role="user", parts=[types.Part(text=QUESTION)])
    turns = [asked, types.Content(role="model", parts=parts), types.Content(role="user", parts=responses)]
    assert 'sunny {"hour":12,"minute":0}' in ask(client, turns, tools=TOOLS).text


def test_the_choice_of_tools_is_kept(client: genai.Client) -> None:
    def choose(text: str, mode: str, *names: str) -> list[str]:
        calling = types.FunctionCallingConfig(
            mode=types.FunctionCallingConfigMode(mode), allowed_function_names=list(names) or None
        )
        config = types.ToolConfig(function_calling_config=calling)
        return [name for name, _ in calls_of(ask(client, text, tools=TOOLS, tool_config=config))]

    assert choose("Hello", "ANY", "get_time") == ["get_time"]
    assert choose("Hello", "ANY") == ["get_weather"]
    assert choose("Hello", "AUTO") == []
    assert choose(QUESTION, "NONE") == []


def test_a_schema_is_kept_in_either_spelling(client: genai.Client) -> None:
    plain = ask(client, "A box", response_mime_type="application/json", response_json_schema=BOX)
    assert json.loads(plain.text) == {"name": "A box", "size": "small"}
    shape = {
        "type": "OBJECT",
        "properties": {"n": {"type": "INTEGER", "minimum": 3}, "s": {"type": "STRING"}},
        "required": ["n", "s"],
    }
    other = ask(client, "A box", response_mime_type="application/json", response_schema=shape)
    assert json.loads(other.text) == {"n": 3, "s": "A box"}
    assert "answer" in json.loads(ask(client, "Any", response_mime_type="application/json").text)


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_are_told_and_calls_signed(client: genai.Client, stream: bool) -> None:
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=128)
    config: Any = {"tools": TOOLS, "thinking_config": thinking}
    if stream:
        options = types.GenerateContentConfig(automatic_function_calling=MANUAL, **config)
        chunks = client.models.generate_content_stream(model="sim-small", contents=QUESTION, config=options)
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
    else:
        answer = ask(client, QUESTION, **config)
        assert answer.usage_metadata.thoughts_token_count > 0
        parts = answer.candidates[0].content.parts
    assert "I know what to say" in "".join(part.text or "" for part in parts if part.thought)
    calls = [part for part in parts if part.function_call]
    assert [bool(part.thought_signature) for part in calls] == [True, False]
    names = ["get_weather", "get_time"]
    responses = [types.Part.from_function_response(name=name, response={"result": name}) for name in names]

    def go_on(called: Any) -> Any:
        asked = types.Content(role="user", parts=[types.Part(text=QUESTION)])
        turns = [asked, types.Content(role="model", parts=called), types.Content(role="user", parts=responses)]
        return ask(client, turns, **config).text

    assert "get_weather get_time" in go_on(calls)
    dummy = calls[0].model_copy(update={"thought_signature": b"skip_thought_signature_validator"})
    with pytest.raises(errors.ClientError, match="Thought signature is not valid"):
        go_on([dummy, calls[1]])  # the client encodes bytes: this is a wrong signature


def test_embeddings_are_unit_vectors(client: genai.Client, simulator: SimulatorProcess) -> None:
    config = types.EmbedContentConfig(output_dimensionality=64)
    answer = client.models.embed_content(model="sim-embed", contents=["one", "two"], config=config)
    vectors = [row.values or [] for row in answer.embeddings or []]
    assert [len(vector) for vector in vectors] == [64, 64]
    assert all(sum(value * value for value in vector) == pytest.approx(1.0) for vector in vectors)
    assert last_row(simulator)["prompt_tokens"] == 2


TEXT = {"text": "Hi"}
CALL = {"functionCall": {"name": "f", "args": {}}}
MODEL_CALL = {"role": "model", "parts": [CALL]}


def answered(**response: Any) -> Any:
    return [{"role": "user", "parts": [TEXT]}, MODEL_CALL, {"role": "user", "parts": [{"functionResponse": response}]}]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"contents": []}, "contents is not specified"),
    ({"contents": [{"role": "assistant", "parts": [TEXT]}]}, "Please use a valid role: user, model."),
    ({"contents": [{"role": "user", "parts": []}]}, "contents.parts must not be empty"),
    ({"contents": [{"role": "user", "parts": [{}]}]}, "required oneof field 'data'"),
    ({"contents": [{"role": "user", "parts": [TEXT | CALL]}]}, "required oneof field 'data'"),
    ({"contents": answered(response={})}, "function_response.name: Name cannot be empty"),
    ({"contents": answered(name="g", response={})}, "g was not called"),
    ({"contents": answered(name="f", response="noon")}, "google.protobuf.Struct"),
    ({"contents": answered(name="f", response={})[1:]}, "start|single turn"),
    ({"contents": answered(name="f", response={})[:2]}, "followed by a function response turn"),
    ({"contents": [*answered(name="f", response={})[:2], {"role": "user", "parts": [TEXT]}]}, "is equal to the number"),
    ({"stream": True}, 'Unknown name "stream"'),
    ({"generationConfig": {"max_tokens": 1}}, "Unknown name \"maxTokens\" at 'generation_config'"),
    ({"generationConfig": {"stopSequences": list("abcdef")}}, "at most 5"),
    ({"generationConfig": {"temperature": 3}}, "temperature"),
    ({"generationConfig": {"responseJsonSchema": {}}}, "response mime type application/json"),
    ({"tools": [{"functionDeclarations": [{"name": "a b"}]}]}, "Invalid function name"),
    (
        {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"additionalProperties": False}}]}]},
        'Unknown name "additionalProperties"',
    ),
    (
        {
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}},
        },
        "not a subset",
    ),
]


def post(simulator: SimulatorProcess, path: str, body: Any, **headers: str) -> httpx.Response:
    sent = {"x-goog-api-key": KEY, **headers}
    return httpx.post(f"{root(simulator)}/gemini/v1beta/models/{path}", json=body, headers=sent, trust_env=False)


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_the_provider_refuses_is_refused_in_its_words(
    simulator: SimulatorProcess, changes: dict[str, Any], words: str
) -> None:
    body = {"contents": [{"role": "user", "parts": [TEXT]}], **changes}
    reply = post(simulator, "sim-small:generateContent", body)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert re.search(words, error["message"])


def test_snake_case_is_understood_and_the_dummy_signature_taken(simulator: SimulatorProcess) -> None:
    call = {"function_call": {"name": "f", "args": {}}, "thought_signature": "skip_thought_signature_validator"}
    response = {"function_response": {"name": "f", "response": {"result": "noon"}}}
    turns = [
        {"role": "user", "parts": [TEXT]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [response]},
    ]
    reply = post(simulator, "sim-small:generateContent", {"contents": turns, "generation_config": {"top_p": 1}})
    assert "noon" in reply.json()["candidates"][0]["content"]["parts"][0]["text"]


def test_a_stream_that_is_not_asked_for_as_events_is_one_array(simulator: SimulatorProcess) -> None:
    body = {"contents": [{"parts": [TEXT]}]}
    reply = post(simulator, "sim-small:streamGenerateContent", body)
    assert reply.headers["content-type"] == "application/json"
    assert len(reply.json()) > 2
    assert reply.json()[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize(
    ("model", "code", "status", "words"),
    [
        ("sim-400", 400, "INVALID_ARGUMENT", "simulated"),
        ("sim-401", 400, "INVALID_ARGUMENT", "API key not valid"),
        ("sim-403", 403, "PERMISSION_DENIED", "simulated"),
        ("sim-404", 404, "NOT_FOUND", "simulated"),
        ("gemini-9", 404, "NOT_FOUND", "gemini-9"),
        ("sim-429", 429, "RESOURCE_EXHAUSTED", "simulated"),
        ("sim-500", 500, "INTERNAL", "simulated"),
        ("sim-503", 503, "UNAVAILABLE", "simulated"),
        ("sim-529", 503, "UNAVAILABLE", "overloaded"),
        ("sim-context", 400, "INVALID_ARGUMENT", "exceeds the maximum number of tokens allowed"),
    ],
)
def test_a_refusing_model_answers_the_provider_s_error(
    simulator: SimulatorProcess, model: str, code: int, status: str, words: str
) -> None:
    with developer(simulator) as client, pytest.raises(errors.APIError, match=words) as caught:
        ask(client, model=model)
    assert (caught.value.code, caught.value.status) == (code, status)
    details: Any = caught.value.details
    kinds = {one["@type"].rpartition(".")[2]: one for one in details["error"].get("details", [])}
    if model in ("sim-429", "sim-503"):
        assert kinds["RetryInfo"]["retryDelay"] == "7s"
    if model == "sim-401":
        assert kinds["ErrorInfo"]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize("stream", [False, True])
def test_a_filtered_prompt_has_no_candidates(simulator: SimulatorProcess, stream: bool) -> None:
    with developer(simulator) as client:
        if stream:
            (answer,) = client.models.generate_content_stream(model="sim-filter", contents="Hi")
        else:
            answer = ask(client, model="sim-filter")
    assert answer.candidates is None
    assert answer.prompt_feedback is not None
    assert answer.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT


def test_a_stream_may_break_off_with_an_error_event(client: genai.Client) -> None:
    chunks: list[Any] = []
    with pytest.raises(errors.ServerError, match="simulated"):
        chunks.extend(client.models.generate_content_stream(model="sim-stream-error", contents="Hi"))
    assert chunks == [] or chunks[0].text


def test_a_wrong_key_is_refused_as_each_address_does(simulator: SimulatorProcess) -> None:
    with developer(simulator, "wrong") as client, pytest.raises(errors.ClientError, match="API key not valid"):
        ask(client)
    path = "/vertex/v1/projects/p/locations/eu/publishers/google/models/sim-small:generateContent"
    reply = httpx.post(root(simulator) + path, json={}, headers={"authorization": "Bearer wrong"}, trust_env=False)
    assert (reply.status_code, reply.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_vertex_wants_every_turn_to_say_its_role(simulator: SimulatorProcess) -> None:
    path = "/vertex/v1/projects/p/locations/eu/publishers/google/models/sim-small:generateContent"
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"contents": [{"parts": [TEXT]}], "labels": {"team": "a"}}
    reply = httpx.post(root(simulator) + path, json=body, headers=headers, trust_env=False)
    assert (reply.status_code, reply.json()["error"]["message"]) == (400, "Please use a valid role: user, model.")
