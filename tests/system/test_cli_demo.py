"""The demo, as `make demo` runs it: a real batch through a real Laneway, and nothing left behind."""

import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.laneway_up import ROOT, clean_environ


def demo(*flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo without a terminal."""
    command = [sys.executable, "-P", str(ROOT / "examples" / "demo.py"), *flags]
    return subprocess.run(
        command, cwd=cwd, env=clean_environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110
    )


def test_the_demo_sends_its_prompts_and_shows_results_tokens_and_cost(tmp_path: Path) -> None:
    done = demo("--data-dir", str(tmp_path / "data"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.search(r"Requests +([\d,]+) total, ([\d,]+) completed, 0 failed", done.stdout)
    assert counts is not None, done.stdout
    prompts = (ROOT / "examples" / "prompts.jsonl").read_text().splitlines()
    assert int(counts[1].replace(",", "")) == int(counts[2].replace(",", "")) == len(prompts) >= 600
    assert re.search(r"Tokens +[1-9][\d,]* in, [1-9][\d,]* out", done.stdout)
    assert re.search(r"Cost +\$0\.0[0-9]*[1-9]", done.stdout)
    assert done.stdout.count("answered") == 5
    assert not (tmp_path / "data" / "run.json").exists()  # stopped in order
    key = (tmp_path / "data" / "master_key").read_text().strip()
    assert key not in done.stdout + done.stderr


def test_a_demo_that_cannot_start_says_why_and_exits_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo("--port", str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert "The demo failed" in done.stdout
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr


def test_a_batch_that_is_refused_fails_the_demo(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"custom_id": "a"}\n')
    done = demo("--prompts", str(broken), cwd=tmp_path)
    assert done.returncode == 1
    assert "the batch ended as failed" in done.stdout
