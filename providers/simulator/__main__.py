"""The command line: `python -P -m providers.simulator`."""

import argparse
import sys
from pathlib import Path

import orjson
from pydantic import ValidationError

from providers.simulator.server import Options, run
from providers.simulator.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run a simulator; prints one JSON line with its address, and returns the exit code."""
    flags = _parser().parse_args(arguments)
    given = {name: _value(getattr(flags, name)) for name in Settings.model_fields if getattr(flags, name) is not None}
    try:
        settings = Settings().changed(given)
    except ValidationError as error:
        problems = [f"--{str(one['loc'][0]).replace('_', '-')}: {one['msg']}" for one in error.errors()]
        print("providers.simulator: " + "; ".join(problems), file=sys.stderr)
        return 2
    try:
        run(settings, Options(flags.host, flags.port, flags.api_key, flags.bill, flags.follow_parent))
    except OSError as error:
        print(f"providers.simulator: cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("providers.simulator", description="A simulated OpenAI-compatible provider.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; anyone who reaches it may use /sim/")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 lets the system choose")
    parser.add_argument("--api-key", help="bearer token that calls must send")
    parser.add_argument("--bill", type=Path, metavar="FILE", help="append the bill to this file, one JSON line a call")
    parser.add_argument("--follow-parent", action="store_true", help="stop when the parent process is gone")
    for name, field in Settings.model_fields.items():
        parser.add_argument("--" + name.replace("_", "-"), metavar="VALUE", help=field.description)
    return parser


def _value(text: str) -> object:
    """Read a flag's value as JSON where it is JSON (numbers, true, null, objects), else as text."""
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value


if __name__ == "__main__":
    sys.exit(main())
