"""Any chat request that OpenAI's API would take, as a strategy: conversations with tools, media, wishes and old fields.

Every request that is drawn is read by `read_chat_request`; whether one provider can express it is another matter.
"""

from typing import Any

from hypothesis import strategies as st

TEXTS = st.sampled_from(["Hello", "Ends in blanks  \n", "Grüße 🌍", ""]) | st.text(min_size=1, max_size=12)
NAMES = st.sampled_from(["get_weather", "find", "save-note", "f"])
MARKS = st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQK"

SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "string", "enum": ["a", "b"]},
            {"type": "integer", "minimum": 1, "maximum": 9, "description": "A digit"},
            {"type": ["string", "null"], "format": "email"},
            {"type": "object"},
            {"$ref": "#/$defs/thing"},
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 2}, inner),
        st.builds(lambda one, other: {"oneOf": [one, other]}, inner, inner),
        st.builds(
            lambda properties, extra: {"type": "object", "properties": properties, **extra},
            st.dictionaries(st.sampled_from(["a", "b", "type"]), inner, max_size=2),
            st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": True}, {"required": ["a"]}]),
        ),
    ),
    max_leaves=5,
)
OBJECT_SCHEMAS = st.builds(
    lambda properties: {"type": "object", "properties": properties, "additionalProperties": False},
    st.dictionaries(st.sampled_from(["city", "unit"]), SCHEMAS, max_size=2),
)


def some(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw an object with these fields, the optional ones sometimes."""
    return st.fixed_dictionaries(required, optional=optional)


TEXT_PARTS = some({"type": st.just("text"), "text": TEXTS}, cache_control=MARKS)
IMAGE_URLS = some(
    {"url": st.sampled_from([PNG, "https://pictures.test/a.jpg", "data:image/tiff;base64,AAAA"])},
    detail=st.sampled_from(["low", "high", "auto"]),
)
FILES = st.sampled_from(
    [
        {"file_data": PDF, "filename": "paper.pdf"},
        {"file_data": "data:text/plain;base64,SGk=", "filename": "note.txt"},
        {"file_data": "https://papers.test/paper.pdf"},
        {"file_data": "data:application/zip;base64,UEsDBA=="},
        {"file_id": "file_123"},
    ]
)
AUDIO = st.sampled_from([{"data": "UklGRg==", "format": "wav"}, {"data": "//uQ", "format": "mp3"}])
PARTS = st.one_of(
    TEXT_PARTS,
    TEXT_PARTS,
    some({"type": st.just("image_url"), "image_url": IMAGE_URLS}, cache_control=MARKS),
    some({"type": st.just("file"), "file": FILES}, cache_control=MARKS),
    some({"type": st.just("input_audio"), "input_audio": AUDIO}),
)
TEXT_CONTENT = TEXTS | st.lists(TEXT_PARTS, min_size=1, max_size=3)
USER_CONTENT = TEXTS | st.lists(PARTS, min_size=1, max_size=3)
THOUGHTS = st.one_of(
    some({"type": st.just("thinking"), "thinking": TEXTS}, signature=st.sampled_from(["c2lnbmVk", ""])),
    some({"type": st.just("redacted_thinking"), "data": st.just("c2VhbGVk")}),
)

SYSTEM = some({"role": st.sampled_from(["system", "developer"]), "content": TEXT_CONTENT}, name=st.just("rules"))
USER = some({"role": st.just("user"), "content": USER_CONTENT}, name=st.just("ann"))
ASSISTANT = some(
    {"role": st.just("assistant"), "content": TEXT_CONTENT},
    reasoning_content=TEXTS,
    thinking_blocks=st.lists(THOUGHTS, max_size=2),
    refusal=st.none(),
)


@st.composite
def tool_rounds(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw an answer that calls one to three tools, and the results of most of the calls in any order."""
    ids = draw(
        st.lists(st.sampled_from(["call_1", "call_2", "functions.f:0", "x"]), min_size=1, max_size=3, unique=True)
    )
    arguments = st.sampled_from(["", "{}", '{"city": "Paris"}', '{"deep": [{"a": null}]}'])
    calls = [
        {"id": call_id, "type": "function", "function": {"name": draw(NAMES), "arguments": draw(arguments)}}
        for call_id in ids
    ]
    answer = draw(ASSISTANT | st.just({"role": "assistant", "content": None})) | {"tool_calls": calls}
    answered = draw(st.permutations(ids))[: draw(st.sampled_from([3, 3, 3, 1]))]
    results = [{"role": "tool", "tool_call_id": each, "content": draw(TEXT_CONTENT)} for each in answered]
    return [answer, *results]


@st.composite
def function_rounds(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw an answer that calls a function in the way of 2023, and its result."""
    name = draw(NAMES)
    call = {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": '{"a": 1}'}}
    return [call, {"role": "function", "name": name, "content": draw(TEXTS)}]


ROUNDS = st.one_of(
    st.builds(lambda one: [one], SYSTEM),
    st.builds(lambda one: [one], USER),
    st.builds(lambda one: [one], USER),
    st.builds(lambda one: [one], ASSISTANT),
    tool_rounds(),
    function_rounds(),
)
MESSAGES = st.builds(
    lambda rounds: [message for messages in rounds for message in messages], st.lists(ROUNDS, min_size=1, max_size=5)
)

FUNCTIONS = some(
    {"name": NAMES | NAMES | NAMES | st.sampled_from(["dotted.name", "n" * 65])},
    description=TEXTS,
    parameters=OBJECT_SCHEMAS | st.just({}),
    strict=st.booleans(),
    cache_control=MARKS,
)
TOOLS = st.lists(
    some({"type": st.just("function"), "function": FUNCTIONS}),
    max_size=3,
    unique_by=lambda tool: tool["function"]["name"],
)
FORMATS = st.one_of(
    st.just({"type": "text"}),
    st.just({"type": "json_object"}),
    st.builds(
        lambda schema, extra: {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **extra}},
        OBJECT_SCHEMAS | SCHEMAS,
        st.sampled_from([{}, {"strict": True}, {"description": "The answer"}]),
    ),
)
PARAMS: dict[str, st.SearchStrategy[Any]] = {
    "max_tokens": st.sampled_from([1, 100, 1500, 5000, 100_000]),
    "max_completion_tokens": st.sampled_from([1, 2048, 9000]),
    "temperature": st.sampled_from([0, 0.3, 1, 1.9]),
    "top_p": st.sampled_from([0.1, 0.95, 1]),
    "top_k": st.integers(1, 40),
    "n": st.sampled_from([1, 1, 2]),
    "stop": st.sampled_from(["END", [], ["a", "\n"], " "]),
    "seed": st.integers(0, 9),
    "presence_penalty": st.sampled_from([0, 0.5]),
    "frequency_penalty": st.sampled_from([0, -0.5]),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 3),
    "logit_bias": st.sampled_from([{}, {"50256": -100}]),
    "parallel_tool_calls": st.booleans(),
    "response_format": FORMATS,
    "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh"]),
    "service_tier": st.sampled_from(["auto", "default", "flex", "priority"]),
    "user": st.just("user-1"),
    "safety_identifier": st.just("hash-1"),
    "metadata": st.sampled_from([{}, {"team": "red"}, {"user_id": "u1"}]),
    "store": st.booleans(),
    "verbosity": st.sampled_from(["low", "high"]),
    "prompt_cache_key": st.just("key"),
    "stream_options": st.just({"include_usage": True}),
}


@st.composite
def chat_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a request body, with a model and without `stream`."""
    names = draw(st.lists(st.sampled_from(sorted(PARAMS)), max_size=6, unique=True))
    request = {"model": "asked-model", "messages": draw(MESSAGES), **{name: draw(PARAMS[name]) for name in names}}
    tools: list[dict[str, Any]] = draw(st.just([]) | TOOLS)
    if not tools:
        return request
    named = st.sampled_from(tools).map(
        lambda tool: {"type": "function", "function": {"name": tool["function"]["name"]}}
    )
    choices = st.none() | st.sampled_from(["auto", "none", "required"]) | named
    return request | {"tools": tools, "tool_choice": draw(choices)}
