"""The dialect side: the CPU time to write a request and to read its answer, for every dialect there is.

The answers come from the simulator, which speaks all of them; only Laneway's own code is timed, without the network.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import orjson

from providers.completion import Answer, Endpoint, Target
from providers.dialects import WireRequest, WireResponse, dialect, dialect_names
from providers.simulator.process import SimulatorProcess

PROMPT_BYTES: Final = 2_000
CALLS: Final = 2_000
ROUNDS: Final = 5

_MODEL: Final = "sim-small"
PATHS: Final[Mapping[str, str]] = {
    "anthropic": "/anthropic/v1",
    "azure": "/azure",
    "bedrock": "/bedrock",
    "cohere": "/cohere/v2",
    "gemini": "/gemini/v1beta",
    "ollama": "/ollama/api",
    "openai": "/v1",
    "vertex": "/vertex/v1/projects/p/locations/l/publishers/google",
}
"""Where the simulator speaks each dialect; a dialect that is missing here stops the run."""


@dataclass(frozen=True, slots=True)
class DialectCost:
    """CPU time of one dialect, in microseconds a request: the least of several rounds, as others only add to it."""

    dialect: str
    encode_us: float
    decode_us: float
    request_bytes: int
    """Size of the body that is sent."""
    answer_bytes: int
    """Size of the body that is read."""


def run_dialects(simulator: SimulatorProcess, calls: int = CALLS) -> list[DialectCost]:
    """Measure every registered dialect. Raises RuntimeError where one has no answer to read."""
    return [_measure(name, simulator, calls) for name in dialect_names()]


def _measure(name: str, simulator: SimulatorProcess, calls: int) -> DialectCost:
    if name not in PATHS:
        raise RuntimeError(f"nothing is known of where the simulator speaks {name!r}: say so in {__name__}")
    target = Target(name, name, simulator.url.removesuffix("/v1") + PATHS[name], _MODEL, api_key="none")
    speaker, asked = dialect(name), _request()
    wire = speaker.encode(Endpoint.CHAT, asked, target)
    if not isinstance(wire, WireRequest):
        raise RuntimeError(f"{name} cannot write the request: {wire.message}")
    response = _exchange(wire)
    answer = speaker.decode(Endpoint.CHAT, response, target)
    if not isinstance(answer, Answer):
        raise RuntimeError(f"{name} cannot read the answer: {answer.message}")
    encode_us = _least_us(lambda: speaker.encode(Endpoint.CHAT, asked, target), calls)
    decode_us = _least_us(lambda: speaker.decode(Endpoint.CHAT, response, target), calls)
    return DialectCost(name, encode_us, decode_us, len(wire.content), len(response.body))


def _request() -> bytes:
    prompt = ("Name the tone of this letter, then answer it in one line. " * PROMPT_BYTES)[:PROMPT_BYTES]
    messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": prompt}]
    return orjson.dumps({"model": _MODEL, "messages": messages, "temperature": 0.2, "max_tokens": 200})


def _exchange(wire: WireRequest) -> WireResponse:
    with httpx.Client(trust_env=False, timeout=30) as client:
        response = client.post(wire.url, content=wire.content, headers=dict(wire.headers))
    return WireResponse(response.status_code, dict(response.headers), response.content)


def _least_us(act: Callable[[], Any], calls: int) -> float:
    return min(_round_ns(act, calls) for _ in range(ROUNDS)) / calls / 1_000


def _round_ns(act: Callable[[], Any], calls: int) -> int:
    began_ns = time.process_time_ns()
    for _ in range(calls):
        act()
    return time.process_time_ns() - began_ns
