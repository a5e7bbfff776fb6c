"""The simulator's faces for the tests: addresses, and the tools and schema that every vendor's client is given."""

from typing import Any

from providers.simulator.process import SimulatorProcess

KEY = "sk-sim-face"
FLAGS = ["--api-key", KEY, "--retry-after-s", "7", "--huge-bytes", "3000000", "--drip-ms", "1", "--slow-ms", "300"]
QUESTION = "Please get weather and get time in Bern"

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TIME: dict[str, Any] = {"type": "object", "properties": {}}
BOX: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"type": "string", "enum": ["small", "large"]}},
    "required": ["name", "size"],
    "additionalProperties": False,
}
CALLED = [("get_weather", {"city": QUESTION, "days": 2}), ("get_time", {})]
"""What a model that is offered both tools calls when it is asked the question."""


def root(simulator: SimulatorProcess) -> str:
    """The simulator's address without a path."""
    return simulator.url.removesuffix("/v1")


def last_row(simulator: SimulatorProcess) -> dict[str, Any]:
    """The newest row of the bill."""
    return list(simulator.bill())[-1]
