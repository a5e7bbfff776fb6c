"""The simulator's misbehaviour: every fault it can show, once, over real HTTP."""

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.simulator.behaviours import Behaviour
from providers.simulator.process import SimulatorProcess
from providers.simulator.spoiling import gzip_bomb

FLAGS = ["--slow-ms", "300", "--drip-ms", "3", "--huge-bytes", "3000000", "--retry-after-s", "7"]
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start(FLAGS) as running:
        yield running


@pytest.fixture
async def client(simulator: SimulatorProcess) -> AsyncIterator[httpx.AsyncClient]:
    simulator.reset()
    async with httpx.AsyncClient(base_url=simulator.url.removesuffix("/v1"), timeout=120, trust_env=False) as one:
        yield one


def body(model: str, text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def last_row(simulator: SimulatorProcess) -> dict[str, Any]:
    return list(simulator.bill())[-1]


async def wait_for_the_end(simulator: SimulatorProcess) -> None:
    """Wait until the one call since the reset has come and has ended."""
    end_s = time.monotonic() + 60
    while not (await asyncio.to_thread(simulator.stats))["ended"]:
        assert time.monotonic() < end_s
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("sim-429", 429, "rate_limit_exceeded"),
        ("sim-500", 500, None),
        ("sim-503", 503, "service_unavailable"),
        ("sim-529", 529, "overloaded"),
        ("sim-400", 400, None),
        ("sim-401", 401, "invalid_api_key"),
        ("sim-402", 402, "insufficient_quota"),
        ("sim-403", 403, "permission_denied"),
        ("sim-404", 404, "model_not_found"),
        ("sim-context", 400, "context_length_exceeded"),
        ("sim-filter", 400, "content_filter"),
        ("sim-error-200", 200, "provider_error"),
        ("no-such-model", 404, "model_not_found"),
    ],
)
async def test_a_refusing_model_answers_its_error_and_bills_nothing(
    simulator: SimulatorProcess, client: httpx.AsyncClient, model: str, status: int, code: str | None
) -> None:
    reply = await client.post(CHAT, json=body(model))
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    assert reply.headers.get("retry-after") == ("7" if status in (429, 503) else None)
    row = last_row(simulator)
    assert (row["model"], row["status"], row["outcome"]) == (model, status, "refused")
    assert (row["billed"], row["cost_nanousd"], row["prompt_tokens"]) == (False, 0, 0)


@pytest.mark.parametrize(
    ("model", "content_type", "end"),
    [
        ("sim-bad-json", "application/json", None),
        ("sim-html", "text/html", "</html>\n"),
        ("sim-empty", "application/json", ""),
        ("sim-deep-json", "application/json", "]]]}"),
        ("sim-nan", "application/json", None),
    ],
)
async def test_a_broken_body_is_not_json_and_is_billed(
    simulator: SimulatorProcess, client: httpx.AsyncClient, model: str, content_type: str, end: str | None
) -> None:
    reply = await client.post(CHAT, json=body(model))
    assert (reply.status_code, reply.headers["content-type"]) == (200, content_type)
    assert end is None or (reply.text.endswith(end) and (end or not reply.content))
    if model == "sim-nan":
        assert "NaN" in reply.text
        with pytest.raises(ValueError, match="NaN"):
            json.loads(reply.text, parse_constant=lambda name: pytest.fail(name) if name != "NaN" else _refuse(name))
    else:
        with pytest.raises((ValueError, RecursionError)):
            json.loads(reply.text)
    row = last_row(simulator)
    assert (row["billed"], row["outcome"]) == (True, "broken")
    assert row["cost_nanousd"] > 0


def _refuse(name: str) -> None:
    raise ValueError(name)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cut_body_ends_before_its_promised_length(
    simulator: SimulatorProcess, client: httpx.AsyncClient, stream: bool
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(CHAT, json=body("sim-cut", stream=stream))
    assert last_row(simulator)["outcome"] == "broken"


async def test_a_reset_connection_gives_no_answer_but_a_bill(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    with pytest.raises(httpx.ReadError):
        await client.post(CHAT, json=body("sim-reset"))
    assert last_row(simulator)["billed"] is True


async def test_a_hanging_model_never_answers_and_is_closed_when_the_client_leaves(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await client.post(CHAT, json=body("sim-hang"), timeout=httpx.Timeout(120, read=0.3))
    await wait_for_the_end(simulator)
    row = last_row(simulator)
    assert (row["outcome"], row["billed"]) == ("client_left", False)


async def test_a_slow_model_answers_after_its_time(client: httpx.AsyncClient) -> None:
    started = time.monotonic()
    reply = await client.post(CHAT, json=body("sim-slow"))
    assert reply.status_code == 200
    assert time.monotonic() - started >= 0.3


async def test_a_dripping_model_sends_its_body_in_single_bytes(client: httpx.AsyncClient) -> None:
    pieces, started = [], time.monotonic()
    async with client.stream("POST", CHAT, json=body("sim-drip")) as reply:
        pieces = [piece async for piece in reply.aiter_raw()]
    assert time.monotonic() - started >= 0.003 * (len(b"".join(pieces)) - 1)
    assert len(pieces) > 3  # a reader that was kept waiting finds many at once
    assert json.loads(b"".join(pieces))["object"] == "chat.completion"


async def test_a_client_that_leaves_in_a_drip_is_billed(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(drip_ms=1_000)
    async with client.stream("POST", CHAT, json=body("sim-drip")) as reply:
        await anext(reply.aiter_raw())
    await wait_for_the_end(simulator)
    simulator.change(drip_ms=3)
    row = last_row(simulator)
    assert (row["outcome"], row["billed"], row["status"]) == ("client_left", True, 200)


async def test_a_huge_body_is_as_long_as_it_was_set(client: httpx.AsyncClient) -> None:
    async with client.stream("POST", CHAT, json=body("sim-huge")) as reply:
        sizes = [len(piece) async for piece in reply.aiter_raw()]
    assert 3_000_000 < sum(sizes) < 3_000_200


async def test_a_gzip_bomb_unpacks_to_a_gibibyte(client: httpx.AsyncClient) -> None:
    async with client.stream("POST", CHAT, json=body("sim-gzip-bomb")) as reply:
        packed = b"".join([piece async for piece in reply.aiter_raw()])
    assert (reply.headers["content-encoding"], len(packed) < 2_000_000) == ("gzip", True)
    assert packed == gzip_bomb()
    unpacker, size = zlib.decompressobj(16 + zlib.MAX_WBITS), 0
    while packed:
        size += len(unpacker.decompress(packed, 1 << 24))
        packed = unpacker.unconsumed_tail
    assert (size, unpacker.eof) == (1 << 30, True)


async def test_a_redirect_followed_is_seen_by_the_trap(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    key = {"authorization": "Bearer canary"}
    reply = await client.post(CHAT, json=body("sim-redirect"), headers=key)
    assert (reply.status_code, reply.headers["location"]) == (302, "/sim/trap")
    assert simulator.stats()["trap_hits"] == 0
    await client.post(CHAT, json=body("sim-redirect"), headers=key, follow_redirects=True)
    assert (simulator.stats()["trap_hits"], simulator.stats()["trap_hits_with_key"]) == (1, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_is_left_out_or_absurd(client: httpx.AsyncClient, stream: bool) -> None:
    options: dict[str, Any] = {"stream": stream, "stream_options": {"include_usage": True}} if stream else {}
    without = await client.post(CHAT, json=body("sim-no-usage", **options))
    absurd = await client.post(CHAT, json=body("sim-bad-usage", **options))
    assert "prompt_tokens" not in without.text
    assert '"prompt_tokens":-5' in absurd.text
    assert "1e+308" in absurd.text


async def test_a_stream_breaks_off_half_way_with_an_error(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    whole = await client.post(CHAT, json=body("sim-stream-error"))
    assert (whole.status_code, last_row(simulator)["billed"]) == (500, False)
    reply = await client.post(CHAT, json=body("sim-stream-error", stream=True))
    events = [json.loads(line.removeprefix("data: ")) for line in reply.text.split("\n\n") if line]
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert events[-1]["error"]["type"] == "server_error"
    assert "[DONE]" not in reply.text
    assert (last_row(simulator)["outcome"], last_row(simulator)["billed"]) == ("broken", True)


@pytest.mark.parametrize(("model", "status"), [("sim-flaky", 500), ("sim-flaky-429", 429)])
async def test_a_flaky_model_fails_once_for_each_body(client: httpx.AsyncClient, model: str, status: int) -> None:
    async def statuses(text: str) -> list[int]:
        return [(await client.post(CHAT, json=body(model, text))).status_code for _ in range(3)]

    assert await statuses("first") == [status, 200, 200]
    assert await statuses("second") == [status, 200, 200]


def test_every_faulty_behaviour_is_tried_in_this_file() -> None:
    good = {"sim-small", "sim-large", "sim-embed"}
    source = Path(__file__).read_text()
    assert [name for name in Behaviour if name not in good and f'"{name}"' not in source] == []


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        (b"{not json", None),
        (b"[" * 5_000, None),
        (b"[]", None),
        (b"{}", "model"),
        (b'{"model":"sim-small"}', "messages"),
        (b'{"model":"sim-small","messages":[{}]}', "messages"),
        (b'{"model":"sim-small","messages":[{"role":"user","content":"x"}],"n":0}', "n"),
        (b'{"model":"sim-small","messages":[{"role":"user","content":"x"}],"max_tokens":true}', "max_tokens"),
        (b'{"model":"sim-small","messages":[{"role":"user","content":"x"}],"stop":[1]}', "stop"),
        (b'{"model":"sim-small","messages":[{"role":"user","content":"x"}],"tools":[{}]}', "tools"),
        (b'{"model":"sim-embed","messages":[{"role":"user","content":"x"}]}', "model"),
    ],
)
async def test_a_malformed_request_is_answered_400(client: httpx.AsyncClient, sent: bytes, param: str | None) -> None:
    reply = await client.post(CHAT, content=sent)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(("path", "method", "status"), [("/v1/nothing", "GET", 404), (CHAT, "GET", 405)])
async def test_an_unknown_route_is_refused(client: httpx.AsyncClient, path: str, method: str, status: int) -> None:
    reply = await client.request(method, path)
    assert (reply.status_code, reply.json()["error"]["type"]) == (status, "invalid_request_error")


async def test_an_outage_answers_one_status_to_all_until_it_is_over(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    simulator.change(status_override=502)
    down = [(await client.post(CHAT, json=body("sim-small"))).status_code, (await client.get("/v1/models")).status_code]
    simulator.change(status_override=None)
    assert down == [502, 502]
    assert (await client.post(CHAT, json=body("sim-small"))).status_code == 200


async def test_a_refusing_outage_resets_connections(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(refuse=True)
    with pytest.raises(httpx.ReadError):
        await client.post(CHAT, json=body("sim-small"))
    simulator.change(refuse=False)
    row = last_row(simulator)
    assert (row["status"], row["outcome"], row["billed"]) == (0, "refused", False)


async def test_bytes_that_are_no_http_are_answered_400_and_closed(simulator: SimulatorProcess) -> None:
    host, port = simulator.url.removeprefix("http://").removesuffix("/v1").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"\x16\x03\x01 this is TLS\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()
    await writer.wait_closed()


async def test_pipelined_requests_are_answered_in_order(simulator: SimulatorProcess) -> None:
    host, port = simulator.url.removeprefix("http://").removesuffix("/v1").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for model, close in (("sim-slow", ""), ("sim-400", "connection: close\r\n")):
        sent = json.dumps(body(model)).encode()
        writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{close}content-length: {len(sent)}\r\n\r\n".encode() + sent)
    answers = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert answers.index("HTTP/1.1 200") < answers.index("HTTP/1.1 400")
