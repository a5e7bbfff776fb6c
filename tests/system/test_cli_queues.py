"""`laneway queues`: what waits where, and edits that hold at once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.laneway_up import LanewayUp, run_cli


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanewayUp]:
    with LanewayUp(tmp_path_factory.mktemp("queues") / "data", "--demo") as laneway:
        yield laneway.wait_ready()


@pytest.fixture(params=["data directory", "address"])
def where(request: pytest.FixtureRequest, up: LanewayUp) -> list[str]:
    """The flags that say which server is meant."""
    if request.param == "data directory":
        return ["--data-dir", str(up.data_dir)]
    return ["--url", up.url, "--key-file", str(up.data_dir / "master_key")]


def ask(*words: str, cwd: Path) -> dict[str, Any]:
    done = run_cli(["queues", *words, "--json"], cwd=cwd)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return found


def test_queues_are_listed_paused_limited_and_let_go(where: list[str], tmp_path: Path) -> None:
    name = ask("list", *where, cwd=tmp_path)["provider"]
    assert ask("pause", name, *where, cwd=tmp_path)["state"] == "paused"
    model = f"{name}/team/model"
    done = run_cli(
        ["queues", "set", model, "--rpm", "60", "--tpm", "none", "--usd-per-minute", "0.5", *where], cwd=tmp_path
    )
    assert done.stdout.strip() == f"{model}: running; rpm=60 tpm=none usd_per_minute=0.5", done.stderr
    listed = run_cli(["queues", "list", *where], cwd=tmp_path).stdout.splitlines()
    assert listed[0].split("  ")[0] == "NAME"
    assert any(line.startswith(f"{name} ") and "paused" in line for line in listed)
    assert any(line.startswith(f"{name}.batch ") for line in listed)
    assert any(line.startswith(f"  {model} ") for line in listed)
    assert ask("drain", name, *where, cwd=tmp_path)["state"] == "draining"
    assert ask("resume", name, *where, cwd=tmp_path)["state"] is None
    assert run_cli(["queues", "clear", model, *where], cwd=tmp_path).stdout.strip() == (
        f"{model}: running; limits as configured"
    )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["pause", "nobody-at-all"], 8, "No provider 'nobody-at-all' is on"),
        (["pause", "/x"], 2, "neither a provider nor provider/model"),
        (["pause", "x/"], 2, "neither a provider nor provider/model"),
        (["set", "sim"], 2, "name a limit"),
        (["set", "sim", "--rpm", "many"], 2, "--rpm many: it is a whole number, or none"),
        (["set", "sim", "--usd-per-minute", "many"], 2, "US dollars"),
        (["set", "sim", "--rpm", "0"], 2, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    up: LanewayUp, tmp_path: Path, words: list[str], code: int, says: str
) -> None:
    provider = ask("list", "--data-dir", str(up.data_dir), cwd=tmp_path)["provider"]
    words = [provider if word == "sim" else word for word in words]
    done = run_cli(["queues", *words, "--data-dir", str(up.data_dir)], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr


def test_without_a_server_or_its_key_the_way_is_told(up: LanewayUp, tmp_path: Path) -> None:
    done = run_cli(["queues", "list", "--data-dir", str(tmp_path / "none")], cwd=tmp_path)
    assert (done.returncode, "name a server with --url" in done.stderr) == (2, True)
    done = run_cli(["queues", "list", "--url", up.url, "--data-dir", str(up.data_dir)], cwd=tmp_path)
    assert (done.returncode, "needs the server's master key" in done.stderr) == (2, True)
    wrong = {"LANEWAY_MASTER_KEY": "not-the-master-key-of-this-server-0123"}
    assert run_cli(["queues", "list", "--url", up.url], cwd=tmp_path, environ=wrong).returncode == 6
    assert run_cli(["queues", "list", "--url", "http://127.0.0.1:9"], cwd=tmp_path, environ=wrong).returncode == 7
