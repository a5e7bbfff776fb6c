"""A chat request: messages, tools and wishes, as frozen values with OpenAI's meaning.

Legacy fields are read into today's: `functions` into tools, `function_call` into tool choice and calls, the role
`function` into a tool message, `developer` into system. What is left over stands in `params`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from providers.chat.params import Params
from providers.chat.parts import Part, Text


@dataclass(frozen=True, slots=True)
class SystemMessage:
    """Instructions; also those of the role `developer`. They may stand anywhere."""

    parts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What the user says; has at least one part."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning of an earlier answer, handed back so that the model can go on from it."""

    text: str = field(repr=False)
    """Empty where only the encrypted form exists."""
    signature: str | None = field(default=None, repr=False)
    """The provider's seal over the text; None where the answer came from another provider."""
    redacted: str | None = field(default=None, repr=False)
    """The encrypted form, where the provider gave no text."""

    @property
    def is_sealed(self) -> bool:
        """Whether it bears a provider's seal, without which no provider takes it back."""
        return self.signature is not None or self.redacted is not None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asked for."""

    id: str
    """Never empty: minted where the caller gave none."""
    name: str
    arguments: str = field(repr=False)
    """JSON text, never empty."""
    input: Mapping[str, Any] = field(repr=False)
    """The same, parsed; always an object."""
    signature: str | None = field(default=None, repr=False)
    """The thought signature of this step, from `extra_content.google.thought_signature`; None without one."""


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    """An earlier answer. May lack text, calls or both."""

    parts: tuple[Text, ...] = ()
    thoughts: tuple[Thought, ...] = ()
    """From `thinking_blocks`, or from `reasoning_content` without a signature."""
    tool_calls: tuple[ToolCall, ...] = ()
    signature: str | None = field(default=None, repr=False)
    """The thought signature beside its text, from the message's own `extra_content`; None without one."""


@dataclass(frozen=True, slots=True)
class ToolMessage:
    """The result of one call."""

    call_id: str
    name: str
    """The function's name, looked up in the calls before; empty where no such call stands in the request."""
    parts: tuple[Part, ...]
    """Text, or media where the caller gives them; may be empty."""

    @property
    def text(self) -> str:
        """Its texts joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    """JSON Schema of its arguments; None where the caller gave none."""
    strict: bool | None = None
    cache_control: Mapping[str, Any] | None = None


class ToolMode(StrEnum):
    """Whether tools may, must or must not be called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"
    """Exactly the tool whose name stands beside."""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """What the caller says of tools."""

    mode: ToolMode
    name: str = ""
    """Of the one tool, for `NAMED`; it is among the request's tools."""


class FormatKind(StrEnum):
    """What shape the text of the answer must have."""

    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """A wish for JSON."""

    kind: FormatKind
    name: str = "answer"
    schema: Mapping[str, Any] | None = None
    """For `JSON_SCHEMA`, never None there."""
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything that one chat completion asks for."""

    messages: tuple[Message, ...]
    """At least one."""
    tools: tuple[Tool, ...]
    tool_choice: ToolChoice | None
    """None where the caller says nothing."""
    response_format: ResponseFormat | None
    """None for plain text."""
    max_tokens: int | None
    """From `max_completion_tokens`, else `max_tokens`; at least 1."""
    stop: tuple[str, ...]
    choices: int
    """`n`, at least 1."""
    params: Params
    """Every other field: a dialect takes those it can express; what it leaves is settled by the rule."""
