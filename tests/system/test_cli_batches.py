"""`laneway batch estimate`: a table or JSON about a file, which the server does not keep."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.estimate_table import estimate_lines
from tests.laneway_up import LanewayUp, run_cli

DEMO_CONFIG = """
models:
  small: {deployments: [{use: simulator/sim-1, price: {input: 1, output: 10}, rpm: 60}]}
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanewayUp]:
    folder = tmp_path_factory.mktemp("batches")
    config = folder / "laneway.yaml"
    config.write_text(DEMO_CONFIG)
    with LanewayUp(folder / "data", "--demo", "--config", str(config)) as laneway:
        yield laneway.wait_ready()


def write(path: Path, *bodies: dict[str, object]) -> Path:
    url = "/v1/chat/completions"
    lines = [{"custom_id": str(n), "method": "POST", "url": url, "body": each} for n, each in enumerate(bodies)]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def chat(model: str) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}


def files_of(up: LanewayUp) -> list[object]:
    headers = {"authorization": f"Bearer {(up.data_dir / 'master_key').read_text().strip()}"}
    answer = httpx.get(f"{up.url}/v1/files", headers=headers, trust_env=False).raise_for_status()
    found: list[object] = answer.json()["data"]
    return found


def test_a_file_is_estimated_and_not_kept(up: LanewayUp, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", chat("small"))
    flags = [str(file), "--data-dir", str(up.data_dir)]
    done = run_cli(["batch", "estimate", *flags, "--json"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["object"], found["lines"], found["valid"]) == ("batch.estimate", 1, True)
    assert found["models"][0]["served_by"] == ["simulator/sim-1"]
    table = run_cli(["batch", "estimate", *flags], cwd=tmp_path).stdout.splitlines()
    assert table == estimate_lines(found)
    assert table[0].split() == ["MODEL", "LINES", "TOKENS", "IN", "TOKENS", "OUT", "COST", "SERVED", "BY"]
    assert files_of(up) == []


def test_a_virtual_key_will_do_and_a_refused_file_is_told_by_the_exit_code(up: LanewayUp, tmp_path: Path) -> None:
    made = run_cli(["keys", "create", "me", "--data-dir", str(up.data_dir)], cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    own = {"LANEWAY_API_KEY": made.stdout.strip()}
    file = write(tmp_path / "in.jsonl", chat("small"), chat("smal"), {"model": "small"})
    done = run_cli(["batch", "estimate", str(file), "--url", up.url], cwd=tmp_path, environ=own)
    assert done.returncode == 2, done.stderr
    assert "a batch of this file would be refused: 2 errors" in done.stdout
    assert "  model smal: The model 'smal' does not exist" in done.stdout
    assert "  line 3: Missing required parameter: 'body.messages'." in done.stdout


def test_what_cannot_be_asked_is_said_with_its_exit_code(up: LanewayUp, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", chat("small"))
    for words, code, says in (
        ([str(tmp_path / "none.jsonl")], 2, "cannot read"),
        ([str(file), "--endpoint", "/v1/images"], 2, "batches of this endpoint are not supported"),
        ([str(file), "--window", "5m"], 2, "completion_window"),
        ([str(file), "--url", "http://127.0.0.1:9", "--key-file", str(up.data_dir / "master_key")], 7, "no Laneway"),
    ):
        done = run_cli(["batch", "estimate", *words, "--data-dir", str(up.data_dir)], cwd=tmp_path)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert says in done.stderr
    assert files_of(up) == []
