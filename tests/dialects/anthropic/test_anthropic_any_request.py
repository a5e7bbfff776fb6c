"""Whatever OpenAI's API would take is sent as the Messages API wants it, or refused with a reason."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.catalogue.model_trait import ModelTrait
from providers.completion import ParamPolicy, Target
from providers.dialects import WireRequest
from providers.failure import ErrorClass, Failure
from tests.dialects.anthropic.messages_api import claude, tried
from tests.dialects.chat_requests import PARAMS, chat_requests
from tests.dialects.test_any_bytes import CALM

ADAPTIVE = (ModelTrait.ADAPTIVE_THINKING, ModelTrait.XHIGH_EFFORT, ModelTrait.NO_SAMPLING, ModelTrait.NO_PREFILL)
MODELS = st.sampled_from(
    [
        (),
        (ModelTrait.THINKING_BUDGET,),
        (ModelTrait.THINKING_BUDGET, ModelTrait.EFFORT, ModelTrait.ONE_SAMPLING, ModelTrait.JSON_SCHEMA),
        (*ADAPTIVE, ModelTrait.JSON_SCHEMA, ModelTrait.STRICT_TOOLS, ModelTrait.LATE_SYSTEM),
        (*ADAPTIVE, ModelTrait.JSON_SCHEMA, ModelTrait.ALWAYS_THINKS, ModelTrait.NO_FORCED_TOOLS),
    ]
)
POLICIES = st.sampled_from([ParamPolicy.DROP, ParamPolicy.DROP, ParamPolicy.DROP, ParamPolicy.CAREFUL])
TARGETS = st.builds(
    lambda traits, params, most: claude(*traits, params=params, max_output_tokens=most),
    MODELS,
    POLICIES | st.just(ParamPolicy.STRICT),
    st.sampled_from([None, 8192, 128_000]),
)
WISHES = st.fixed_dictionaries({name: PARAMS[name] for name in ("reasoning_effort", "response_format")})
REQUESTS = st.builds(lambda request, wishes: request | wishes, chat_requests(), st.just({}) | WISHES)


@settings(CALM, max_examples=200)
@given(REQUESTS, TARGETS, st.booleans())
def test_any_request_is_sent_or_refused_with_a_reason(request: dict[str, Any], target: Target, stream: bool) -> None:
    outcome = tried(request, target, stream=stream)
    if isinstance(outcome, Failure):
        assert outcome.error_class is ErrorClass.BAD_REQUEST
        assert outcome.message
        assert outcome.param
    else:
        hold_against_the_rules(orjson.loads(outcome.content))


def hold_against_the_rules(body: dict[str, Any]) -> None:
    """Check what the types do not say."""
    thinking, choice = body.get("thinking", {}), body.get("tool_choice", {})
    assert thinking.get("budget_tokens", 0) < body["max_tokens"]
    assert thinking.get("type") in (None, "disabled") or choice.get("type") not in ("any", "tool")
    assert not {"temperature", "top_k"} & body.keys() or thinking.get("type") in (None, "disabled")
    assert all(word.strip() for word in body.get("stop_sequences", ()))
    turns = body["messages"]
    for before, turn in zip([{"role": "", "content": []}, *turns], turns, strict=False):
        assert turn["role"] != before["role"]
        assert turn["role"] != "system" or before["role"] == "user"
        assert turn["content"]
        kinds = [block["type"] for block in turn["content"]]
        assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")
        assert results_of(turn) == calls_of(before)
    assert not calls_of(turns[-1])
    blocks = [block for turn in turns for block in turn["content"]] + body.get("system", [])
    assert all(block["text"].strip() for block in blocks if block["type"] == "text")


def calls_of(turn: dict[str, Any]) -> list[str]:
    return sorted(block["id"] for block in turn["content"] if block["type"] == "tool_use")


def results_of(turn: dict[str, Any]) -> list[str]:
    return sorted(block["tool_use_id"] for block in turn["content"] if block["type"] == "tool_result")


def test_the_strategy_reaches_requests_that_are_sent() -> None:
    """A property over refusals only would prove nothing."""
    sent = {"tools": 0, "thinking": 0, "output_config": 0, "system": 0, "any": 0, "tool_use": 0}

    @settings(CALM, max_examples=200, database=None, derandomize=True)
    @given(REQUESTS, TARGETS)
    def look(request: dict[str, Any], target: Target) -> None:
        outcome = tried(request, target)
        if isinstance(outcome, WireRequest):
            body = orjson.loads(outcome.content)
            sent["any"] += 1
            sent["tool_use"] += b'"tool_use"' in outcome.content
            for name in sent.keys() & body.keys():
                sent[name] += 1

    look()
    assert all(sent.values()), sent
