"""The chat completion: a deterministic answer to `POST /v1/chat/completions`.

The text is a pure function of the request: it quotes the start of the last user message and gives a checksum of the
whole of it, so that a test can tell whose answer it holds.
"""

import zlib
from dataclasses import dataclass
from typing import Any, Final

import orjson

from providers.simulator.refusals import bad_request
from providers.simulator.specimen import specimen
from providers.simulator.tokens import CHARS_PER_TOKEN, Usage, cached_tokens, prompt_tokens, text_tokens

_QUOTE_CHARS: Final = 160
_CHOICES_LIMIT: Final = 128


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the answer shall call."""

    name: str
    parameters: object
    """JSON schema of its arguments."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What the simulator reads of a chat request."""

    model: str
    question: str
    """The last user message; for a conversation that ends with a tool's result, that result."""
    usage: Usage
    """Prompt side only."""
    choices: int
    max_tokens: int | None
    """Bound on each choice's tokens; null is none."""
    stops: tuple[str, ...]
    tool: Tool | None
    schema: object | None
    """JSON schema the text must satisfy; `{}` for any object; null for free text."""
    stream: bool
    include_usage: bool
    """Whether a stream ends with a usage chunk."""


def read_chat(body: dict[str, Any]) -> ChatRequest:
    """Check a parsed request body as far as it is used; raises Refused (400) naming the field."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad_request("'messages' must be a list of at least one message.", "messages")
    if not all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in messages):
        raise bad_request("Every message must be an object with a 'role'.", "messages")
    question = _question(messages)
    options = body.get("stream_options")
    return ChatRequest(
        model=body["model"],
        question=question,
        usage=Usage(prompt_tokens(messages, body.get("tools")), 0, cached_tokens(messages)),
        choices=_count(body, "n", _CHOICES_LIMIT) or 1,
        max_tokens=_count(body, "max_completion_tokens") or _count(body, "max_tokens"),
        stops=_stops(body.get("stop")),
        tool=_tool(body, messages, question) if body.get("tools") else None,
        schema=_schema(body.get("response_format")),
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def complete(request: ChatRequest, answer_id: str, created_at_s: int) -> tuple[dict[str, Any], Usage]:
    """Return the `chat.completion` object, as OpenAI sends it, with what it used."""
    choices, completion_tokens = [], 0
    for index in range(request.choices):
        choice, tokens = _choice(request, index, f"call_{answer_id}_{index}")
        choices.append(choice)
        completion_tokens += tokens
    usage = Usage(request.usage.prompt_tokens, completion_tokens, request.usage.cached_tokens)
    answer = {
        "id": f"chatcmpl-{answer_id}",
        "object": "chat.completion",
        "created": created_at_s,
        "model": request.model,
        "choices": choices,
        "usage": usage.to_json(),
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }
    return answer, usage


def reply_text(question: str, index: int = 0) -> str:
    """Return the free-text answer to a question; later choices say which one they are."""
    quote = " ".join(question[:_QUOTE_CHARS].split())
    more = " ..." if len(question) > _QUOTE_CHARS else ""
    mark = zlib.crc32(question.encode("utf-8", "surrogatepass"))
    choice = f" Choice {index + 1}." if index else ""
    return f"You asked: {quote}{more} Reference {mark:08x}.{choice}"


def _choice(request: ChatRequest, index: int, call_id: str) -> tuple[dict[str, Any], int]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    if request.tool is not None:
        arguments = orjson.dumps(specimen(request.tool.parameters, request.question) or {}).decode()
        function = {"name": request.tool.name, "arguments": arguments}
        message["tool_calls"] = [{"id": call_id, "type": "function", "function": function}]
        tokens, reason = text_tokens(request.tool.name) + text_tokens(arguments), "tool_calls"
    else:
        message["content"], reason = _bounded(request, _text(request, index))
        tokens = text_tokens(message["content"])
    return {"index": index, "message": message, "logprobs": None, "finish_reason": reason}, tokens


def _text(request: ChatRequest, index: int) -> str:
    if request.schema is None:
        return reply_text(request.question, index)
    value = specimen(request.schema, request.question) if request.schema else {"answer": reply_text(request.question)}
    return orjson.dumps(value).decode()


def _bounded(request: ChatRequest, text: str) -> tuple[str, str]:
    for stop in request.stops:
        text = text.partition(stop)[0]
    if request.max_tokens is not None and len(text) > request.max_tokens * CHARS_PER_TOKEN:
        return text[: request.max_tokens * CHARS_PER_TOKEN], "length"
    return text, "stop"


def _question(messages: list[dict[str, Any]]) -> str:
    for message in reversed(messages):
        if message["role"] in ("user", "tool"):
            return _content_text(message.get("content"))
    return _content_text(messages[-1].get("content"))


def _content_text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _count(body: dict[str, Any], name: str, most: int | None = None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1 or (most is not None and value > most):
        bounds = "at least 1" if most is None else f"1 to {most}"
        raise bad_request(f"'{name}' must be a whole number, {bounds}.", name)
    return value


def _stops(stop: object) -> tuple[str, ...]:
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list) or len(stops) > 4 or not all(isinstance(one, str) and one for one in stops):
        raise bad_request("'stop' must be a string or a list of at most 4 strings.", "stop")
    return tuple(stops)


def _schema(response_format: object) -> object | None:
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if response_format is None or kind == "text":
        return None
    if kind == "json_object":
        return {}
    named = response_format.get("json_schema") if isinstance(response_format, dict) else None
    if kind != "json_schema" or not isinstance(named, dict) or not isinstance(named.get("schema"), dict):
        message = "'response_format' must be text, json_object, or json_schema with a schema."
        raise bad_request(message, "response_format")
    schema: object = named["schema"]
    return schema


def _tool(body: dict[str, Any], messages: list[dict[str, Any]], question: str) -> Tool | None:
    """Return the function to call: the one forced, else the first one the last user message names."""
    offered = [_offered(tool) for tool in body["tools"]] if isinstance(body["tools"], list) else []
    if not offered or None in offered:
        raise bad_request("'tools' must be a list of functions with a name.", "tools")
    tools = {tool.name: tool for tool in offered if tool}
    choice = body.get("tool_choice", "auto")
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if name not in tools:
            raise bad_request(f"'tool_choice' names the function {name!r}, which is not in 'tools'.", "tool_choice")
        return tools[name]
    if choice == "none" or messages[-1]["role"] == "tool":
        return None
    asked = question.lower()
    named = next((tool for tool in tools.values() if _spoken(tool.name) in asked or tool.name.lower() in asked), None)
    return named or (next(iter(tools.values())) if choice == "required" or "tool" in asked else None)


def _spoken(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").lower()


def _offered(tool: object) -> Tool | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        return None
    return Tool(name, function.get("parameters") or {"type": "object"})
