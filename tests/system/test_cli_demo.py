"""The demo, as `make demo` runs it: every way in through a real Laneway, and nothing left behind."""

import base64
import json
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from examples.demo_receiver import receiving
from tests.laneway_up import ROOT, clean_environ

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def demo(*flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo without a terminal, on a port of its own: another demo may run beside it."""
    command = [sys.executable, "-P", str(ROOT / "examples" / "demo.py"), "--port", "0", *flags]
    return subprocess.run(
        command, cwd=cwd, env=clean_environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500
    )


def test_the_demo_shows_every_way_in_with_results_tokens_and_cost(tmp_path: Path) -> None:
    done = demo("--data-dir", str(tmp_path / "data"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Sync call .*\$0\.0[0-9]*[1-9], job_[a-z0-9]+\n +You asked: What is a queue", done.stdout)
    stream = re.search(r"Stream +You asked: Tell me of the sea.*\n +(\d+) chunks, (\d+) tokens", done.stdout)
    assert stream is not None, done.stdout
    assert int(stream[1]) > 3
    assert int(stream[2]) > 10
    assert re.search(
        r"Async job job_\w+ is queued\n +webhook job\.completed verified\n +You asked: Name three", done.stdout
    )
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


def test_the_demos_receiver_believes_only_what_is_signed_and_fresh() -> None:
    now = datetime.now(UTC)
    with receiving(SECRET) as receiver:
        assert post(receiver.url, "job_a", secret=OTHER_SECRET, at=now) == 400
        assert post(receiver.url, "job_a", secret=SECRET, at=now - timedelta(minutes=6)) == 400
        assert httpx.post(receiver.url, content=b"{}", trust_env=False).status_code == 400
        with pytest.raises(TimeoutError, match="No matching signature found, Message timestamp too old, Missing"):
            receiver.wait("job_a", 0.1)
        assert post(receiver.url, "job_b", secret=SECRET, at=now) == 204
        assert post(receiver.url, "job_a", secret=SECRET, at=now) == 204
        assert receiver.wait("job_a", 60)["type"] == "job.completed"


def post(url: str, job_id: str, *, secret: str, at: datetime) -> int:
    """Send a signed event; returns the status."""
    body = json.dumps({"id": "evt_1", "type": "job.completed", "data": {"id": job_id}})
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("evt_1", at, body),
    }
    return httpx.post(url, content=body, headers=headers, trust_env=False).status_code
