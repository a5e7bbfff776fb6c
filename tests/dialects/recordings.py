"""Recorded provider answers, found through LANEWAY_RECORDINGS; tests over them skip where it is not set."""

import os
from pathlib import Path

import orjson
import pytest
from _pytest.mark import ParameterSet


def recorded_bodies(*providers: str, ending: str = ".json") -> list[ParameterSet]:
    """List the JSON bodies of some providers, of all when none is named, as parameters of one test each."""
    folder = os.environ.get("LANEWAY_RECORDINGS")
    if not folder:
        return [pytest.param(None, marks=pytest.mark.skip(reason="LANEWAY_RECORDINGS is not set"))]
    root = Path(folder)
    names = providers or tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir()))
    files = [file for name in names for file in sorted((root / name).glob(f"*{ending}"))]
    assert files, f"LANEWAY_RECORDINGS has no JSON bodies of {names}"
    return [pytest.param(file, id=f"{file.parent.name}/{file.name}") for file in files]


def is_chat_completion(body: bytes) -> bool:
    """Tell whether a recorded body is a chat completion."""
    data = orjson.loads(body)
    return isinstance(data, dict) and "choices" in data
