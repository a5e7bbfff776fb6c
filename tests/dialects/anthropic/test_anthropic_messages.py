"""Messages of a chat request become the system prompt and the turns of the Messages API."""

from typing import Any

import pytest

from providers.catalogue.model_trait import ModelTrait
from providers.failure import ErrorClass
from tests.dialects.anthropic.messages_api import body_of, claude, refused, said, written

MARK = {"type": "ephemeral"}
PNG = "iVBORw0KGgo="
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
OTHER_CALL = {"id": "toolu_2", "type": "function", "function": {"name": "g", "arguments": ""}}


def system(text: Any) -> dict[str, Any]:
    return {"role": "system", "content": text}


def assistant(content: Any = None, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


def result(call_id: str = "toolu_1", content: Any = "42") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def use(call_id: str = "toolu_1", name: str = "f", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def output(call_id: str = "toolu_1", *content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": list(content or [words("42")])}


SYSTEMS = {
    "leading ones become the prompt": (
        [system("Be brief."), {"role": "developer", "content": "Be kind."}, "Hi"],
        [words("Be brief."), words("Be kind.")],
    ),
    "marks for the cache are kept": (
        [system([{**words("Rules"), "cache_control": MARK}]), "Hi"],
        [{**words("Rules"), "cache_control": MARK}],
    ),
    "blank ones are left out": ([system(" \n"), "Hi"], None),
    "instructions alone are the question": ([system("Say hello.")], None),
}


@pytest.mark.parametrize(("messages", "prompt"), SYSTEMS.values(), ids=SYSTEMS)
def test_system_messages_become_the_system_prompt(messages: list[Any], prompt: Any) -> None:
    assert body_of(said(*messages)).get("system") == prompt


TURNS = {
    "text": (["Hi"], [("user", [words("Hi")])]),
    "instructions alone": ([system("Say hello.")], [("user", [words("Say hello.")])]),
    "neighbours of one role are one turn": (
        ["One", "Two", assistant("Three"), assistant("Four"), "Five"],
        [
            ("user", [words("One"), words("Two")]),
            ("assistant", [words("Three"), words("Four")]),
            ("user", [words("Five")]),
        ],
    ),
    "blank text is left out, and a turn of nothing else": (
        ["Hi", assistant(""), user(words("\n"), words("there"))],
        [("user", [words("Hi"), words("there")])],
    ),
    "only the last answer loses the blanks at its end": (
        ["Hi", assistant("One \n"), "Go on", assistant("Two \n")],
        [
            ("user", [words("Hi")]),
            ("assistant", [words("One \n")]),
            ("user", [words("Go on")]),
            ("assistant", [words("Two")]),
        ],
    ),
    "calls and their results": (
        ["Hi", assistant("Let me see.", tool_calls=[CALL]), result()],
        [("user", [words("Hi")]), ("assistant", [words("Let me see."), use(a=1)]), ("user", [output()])],
    ),
    "results of one round are one turn and come first": (
        ["Hi", assistant(tool_calls=[CALL, OTHER_CALL]), result("toolu_2"), "Well?", result()],
        [
            ("user", [words("Hi")]),
            ("assistant", [use(a=1), use("toolu_2", "g")]),
            ("user", [output("toolu_2"), output(), words("Well?")]),
        ],
    ),
    "a call without text": (
        ["Hi", assistant("", tool_calls=[CALL]), result()],
        [("user", [words("Hi")]), ("assistant", [use(a=1)]), ("user", [output()])],
    ),
    "an empty result": (
        ["Hi", assistant(tool_calls=[CALL]), result(content="")],
        [
            ("user", [words("Hi")]),
            ("assistant", [use(a=1)]),
            ("user", [{"type": "tool_result", "tool_use_id": "toolu_1"}]),
        ],
    ),
    "a cache mark within a result holds for the result": (
        ["Hi", assistant(tool_calls=[CALL]), result(content=[{**words("42"), "cache_control": MARK}])],
        [("user", [words("Hi")]), ("assistant", [use(a=1)]), ("user", [{**output(), "cache_control": MARK}])],
    ),
    "the function call of old": (
        [
            "Hi",
            assistant(function_call={"name": "f", "arguments": "{}"}),
            {"role": "function", "name": "f", "content": "42"},
        ],
        [
            ("user", [words("Hi")]),
            ("assistant", [use("call_messages_1__tool_calls_0_")]),
            ("user", [output("call_messages_1__tool_calls_0_")]),
        ],
    ),
    "sealed thoughts come back before the text": (
        [
            "Hi",
            assistant(
                "Look.",
                thinking_blocks=[
                    {"type": "thinking", "thinking": "Hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": "d"},
                ],
                tool_calls=[CALL],
            ),
            result(),
        ],
        [
            ("user", [words("Hi")]),
            (
                "assistant",
                [
                    {"type": "thinking", "thinking": "Hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": "d"},
                    words("Look."),
                    use(a=1),
                ],
            ),
            ("user", [output()]),
        ],
    ),
    "later instructions are said by the user": (
        ["Hi", assistant("Hello"), system("Be brief."), "Why?"],
        [("user", [words("Hi")]), ("assistant", [words("Hello")]), ("user", [words("Be brief."), words("Why?")])],
    ),
    "instructions between a call and its result come after it": (
        ["Hi", assistant(tool_calls=[CALL]), system("Be brief."), result()],
        [("user", [words("Hi")]), ("assistant", [use(a=1)]), ("user", [output(), words("Be brief.")])],
    ),
}


@pytest.mark.parametrize(("messages", "turns"), TURNS.values(), ids=TURNS)
def test_messages_become_turns(messages: list[Any], turns: list[tuple[str, list[Any]]]) -> None:
    written_turns = body_of(said(*messages))["messages"]
    assert [(turn["role"], turn["content"]) for turn in written_turns] == turns


LATE = {
    "at the end": (["Hi", system("Be brief.")], ["user", "system"]),
    "before an answer": (
        ["Hi", system("Be brief."), assistant("Hello"), "Why?"],
        ["user", "system", "assistant", "user"],
    ),
    "several are one": (["Hi", system("Be brief."), system("Be kind.")], ["user", "system"]),
    "before a question it is the user's": (["Hi", system("Be brief."), "Why?"], ["user"]),
    "after an answer it is the user's": (
        ["Hi", assistant("Hello"), system("Be brief.")],
        ["user", "assistant", "user"],
    ),
    "between call and result it is the user's": (
        ["Hi", assistant(tool_calls=[CALL]), system("Be brief."), result()],
        ["user", "assistant", "user"],
    ),
}


@pytest.mark.parametrize(("messages", "roles"), LATE.values(), ids=LATE)
def test_later_instructions_stay_where_the_model_takes_them(messages: list[Any], roles: list[str]) -> None:
    body = body_of(said(*messages), claude(ModelTrait.LATE_SYSTEM))
    assert [turn["role"] for turn in body["messages"]] == roles


UNSENDABLE = {
    "nothing but blanks": ([user(words(" ")), system("\n")], "messages", "no text"),
    "a call without a result": (
        ["Hi", assistant(tool_calls=[CALL, OTHER_CALL]), result(), "Well?"],
        "messages[1].tool_calls[1]",
        "no tool message",
    ),
    "a result that comes too late": (
        ["Hi", assistant(tool_calls=[CALL]), "Wait", assistant("Yes"), result()],
        "messages[1].tool_calls[0]",
        "no tool message",
    ),
    "a call at the end": (["Hi", assistant(tool_calls=[CALL])], "messages[1].tool_calls[0]", "no tool message"),
    "a result of no call": (["Hi", result("toolu_9")], "messages[1].tool_call_id", "answers no open call"),
    "a second result of one call": (
        ["Hi", assistant(tool_calls=[CALL]), result(), result()],
        "messages[3].tool_call_id",
        "answers no open call",
    ),
    "a call of a tool whose name does not fit": (
        ["Hi", assistant(tool_calls=[{**CALL, "function": {"name": "a.b", "arguments": ""}}]), result()],
        "messages[1].tool_calls[0].function.name",
        "'a.b'",
    ),
}


@pytest.mark.parametrize(("messages", "param", "reason"), UNSENDABLE.values(), ids=UNSENDABLE)
def test_what_cannot_be_said_is_refused_with_its_place(messages: list[Any], param: str, reason: str) -> None:
    failure = refused(said(*messages))
    assert failure.error_class is ErrorClass.BAD_REQUEST
    assert failure.param == param
    assert reason in failure.message


def test_a_model_that_continues_no_answer_is_not_asked_to() -> None:
    request = said("Hi", assistant("The best is"))
    assert body_of(request)["messages"][-1]["role"] == "assistant"
    failure = refused(request, claude(ModelTrait.NO_PREFILL))
    assert failure.param == "messages"
    assert "assistant's words" in failure.message


def test_ids_that_do_not_fit_are_replaced_alike_in_calls_and_results() -> None:
    calls = [{**CALL, "id": "functions.f:0"}, {**OTHER_CALL, "id": "functions.f:1"}]
    body = body_of(said("Hi", assistant(tool_calls=calls), result("functions.f:1"), result("functions.f:0")))
    uses, results = body["messages"][1]["content"], body["messages"][2]["content"]
    assert [block["tool_use_id"] for block in results] == [uses[1]["id"], uses[0]["id"]]
    assert len({block["id"] for block in uses}) == 2
    assert all(block["id"].replace("_", "").isalnum() and block["id"].isascii() for block in uses)


def test_the_user_has_the_first_turn() -> None:
    turns = body_of(said(assistant("Welcome"), "Hi"))["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[0]["content"] == [{"type": "text", "text": "."}]


def test_a_refusal_is_what_an_answer_without_text_said() -> None:
    turns = body_of(said("Hi", assistant("", refusal="No."), "Why?"))["messages"]
    assert turns[1]["content"] == [{"type": "text", "text": "No."}]


def test_reasoning_without_a_seal_is_left_out_and_noted() -> None:
    sent = written(said("Hi", assistant("Hello", reasoning_content="Hm"), "Why?"))
    assert b"Hm" not in sent.content
    assert sent.dropped_params == ("messages[].reasoning_content",)
