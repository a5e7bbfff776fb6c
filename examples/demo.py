"""The demo: starts Laneway with its built-in simulator, and uses it with the `openai` client.

    .venv/bin/python -P examples/demo.py [--prompts FILE] [--data-dir DIR] [--port N] [--stop | --stay]

One call that is answered at once, one that is streamed, one job whose end a signed webhook tells, then a real batch.

No key and no money. On a terminal Laneway keeps running afterwards, until Ctrl-C; without one it is stopped. Exits 1,
with the last lines of Laneway's log, when anything goes wrong.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openai import OpenAI, OpenAIError
from openai.types import Batch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli import deathbound
from examples.demo_calls import DemoFailed, show_calls

HERE = Path(__file__).parent
FAVOURITE_PORT = 8080
START_S = 90.0
STOP_S = 60.0
BATCH_S = 300.0
POLL_S = 0.25
PLAIN_LINE_S = 1.0
LOG_LINES = 25
SHOWN_RESULTS = 5
INTERRUPTED = 130
TERMINAL = {"completed", "failed", "expired", "cancelled"}


class Laneway:
    """`laneway up --demo` as a child of the demo, with its log in a file."""

    def __init__(self, data_dir: Path, port: int) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir = data_dir
        self.log = data_dir / "demo.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LANEWAY_")}
        for name in ("REDIS_URL", "DATABASE_URL"):  # the demo keeps to itself
            environ.pop(name, None)
        environ["LANEWAY_LOG_LEVEL"] = "WARNING"
        where = ["--config", str(HERE / "demo.yaml"), "--data-dir", str(data_dir), "--port", str(port)]
        command = [sys.executable, "-P", "-m", "cli", "up", "--demo", *where]
        bound = [sys.executable, "-I", "-S", deathbound.__file__, str(os.getpid()), str(int(signal.SIGTERM)), *command]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops Laneway in order. Bound to us: when
            # the demo is killed, Laneway is told to stop.
            self.process = subprocess.Popen(bound, stdout=log, stderr=log, env=environ, start_new_session=True)

    def wait_ready(self) -> dict[str, Any]:
        """Wait until it serves; returns what `run.json` says."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DemoFailed(f"Laneway ended with exit code {self.process.returncode}")
            try:
                run: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text())
            except (OSError, ValueError):
                run = {}
            if run.get("ready") and run.get("pid") == self.process.pid:
                return run
            time.sleep(0.05)
        raise DemoFailed(f"Laneway was not ready in {START_S:.0f} s")

    def master_key(self) -> str:
        return (self.data_dir / "master_key").read_text().strip()

    def last_lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]

    def stop(self) -> int:
        """Stop it and everything that it started; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()  # its children go with it
            return self.process.wait()


def main() -> int:
    flags = _flags()
    console = Console(highlight=False)
    with _data_dir(flags.data_dir) as data_dir:
        laneway = Laneway(data_dir, flags.port if flags.port is not None else _free_port())
        finished = False
        try:
            console.print("Starting Laneway with its simulator: no key, no money ...")
            url = laneway.wait_ready()["url"]
            client = OpenAI(base_url=f"{url}/v1", api_key=laneway.master_key(), max_retries=2)
            console.print(f"It serves at {url}/v1\n")
            show_calls(console, client)
            _run_batch(console, client, flags.prompts)
            finished = True
            if flags.stay:
                _stay(console, laneway, url)
        except KeyboardInterrupt:
            console.print("\nstopping Laneway ...")
            laneway.stop()
            return 0 if finished else INTERRUPTED
        except (DemoFailed, OpenAIError, OSError) as error:
            console.print(f"[red]The demo failed:[/] {escape(str(error))}", soft_wrap=True)
            laneway.stop()
            for line in laneway.last_lines():
                print(f"  {line}", file=sys.stderr)
            return 1
        code = laneway.stop()
        if code:
            console.print(f"[red]Laneway stopped with exit code {code}[/]")
        return 1 if code else 0


def _run_batch(console: Console, client: OpenAI, prompts: Path) -> None:
    began = time.monotonic()
    file = client.files.create(file=prompts, purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"made_by": "demo"}
    )
    console.print(f"\nBatch     {prompts.name} ({file.bytes:,} bytes) uploaded as {file.id}", soft_wrap=True)
    console.print(f"          created {batch.id}")
    batch = _watch(console, client, batch.id)
    took_s = time.monotonic() - began
    if batch.status != "completed" or batch.output_file_id is None:
        raise DemoFailed(f"the batch ended as {batch.status}: {batch.errors}")
    lines = client.files.content(batch.output_file_id).text.splitlines()
    counts = batch.request_counts
    if counts is None or counts.total == 0 or len(lines) != counts.completed:
        raise DemoFailed(f"the output file has {len(lines)} lines, and the batch counts {counts}")
    _show_results(console, prompts, lines)
    _show_sums(console, batch, [json.loads(line) for line in lines], took_s)
    if counts.failed:
        errors = client.files.content(batch.error_file_id).text.splitlines() if batch.error_file_id else []
        raise DemoFailed(f"{counts.failed} of {counts.total} requests failed: {(errors or ['no error file'])[0]}")


def _watch(console: Console, client: OpenAI, batch_id: str) -> Batch:
    """Poll until the batch has ended, and show how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    deadline, next_line = time.monotonic() + BATCH_S, 0.0
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("validating", total=None)
        while time.monotonic() < deadline:
            batch = client.batches.retrieve(batch_id)
            done = batch.request_counts.completed + batch.request_counts.failed if batch.request_counts else 0
            total = batch.request_counts.total if batch.request_counts else 0
            bar.update(task, description=batch.status, completed=done, total=total or None)
            if not console.is_terminal and (time.monotonic() >= next_line or batch.status in TERMINAL):
                console.print(f"  {batch.status:<12} {done:,} of {total:,} requests")
                next_line = time.monotonic() + PLAIN_LINE_S
            if batch.status in TERMINAL:
                return batch
            time.sleep(POLL_S)
    raise DemoFailed(f"the batch was not done in {BATCH_S:.0f} s")


def _show_results(console: Console, prompts: Path, lines: list[str]) -> None:
    asked = {}
    for line in prompts.read_text(encoding="utf-8").splitlines():
        if line.strip():
            request = json.loads(line)
            asked[request["custom_id"]] = request["body"]["messages"][-1]["content"]
    width = max(40, console.width - 16)
    console.print(f"\nResults, {SHOWN_RESULTS} of {len(lines):,}:")
    for line in lines[:: max(1, len(lines) // SHOWN_RESULTS)][:SHOWN_RESULTS]:
        result = json.loads(line)
        body = result["response"]["body"]
        console.print(f"  {result['custom_id']}  [dim]{escape(body['model'])}[/]")
        console.print(f"    [dim]asked[/]    {escape(_short(asked[result['custom_id']], width))}")
        console.print(f"    [dim]answered[/] {escape(_short(body['choices'][0]['message']['content'], width))}")


def _show_sums(console: Console, batch: Batch, results: list[dict[str, Any]], took_s: float) -> None:
    counts, usage = batch.request_counts, batch.usage
    models = Counter(result["response"]["body"]["model"] for result in results)
    ours: dict[str, Any] = (batch.model_extra or {}).get("laneway", {})
    assert counts is not None
    console.print(f"\nRequests  {counts.total:,} total, {counts.completed:,} completed, {counts.failed:,} failed")
    console.print(f"Models    {', '.join(f'{model}: {n:,}' for model, n in models.most_common())}")
    if usage is not None:
        console.print(f"Tokens    {usage.input_tokens:,} in, {usage.output_tokens:,} out")
    console.print(f"Cost      ${ours.get('cost_usd')} (simulated)")
    console.print(f"Time      {took_s:.1f} s, {counts.total / took_s:,.0f} requests/s from upload to result")


def _stay(console: Console, laneway: Laneway, url: str) -> None:
    """Keep serving until Ctrl-C."""
    key_file = laneway.data_dir / "master_key"
    console.print(f"\nLaneway keeps running at [bold]{url}/v1[/] with the key in {key_file}. Try:", soft_wrap=True)
    command = f'curl {url}/v1/batches -H "Authorization: Bearer $(cat {key_file})"'
    console.print(f"  {escape(command)}", soft_wrap=True)
    console.print("Ctrl-C stops it.")
    code = laneway.process.wait()
    raise DemoFailed(f"Laneway ended by itself with exit code {code}")


def _short(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


@contextmanager
def _data_dir(chosen: Path | None) -> Iterator[Path]:
    """The given directory, or one that is removed afterwards."""
    if chosen is not None:
        yield chosen.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="laneway-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _free_port() -> int:
    """The favourite port if nothing listens there, else 0: the system chooses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", FAVOURITE_PORT))
        except OSError:
            return 0
    return FAVOURITE_PORT


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Use Laneway and its simulator in every way.")
    parser.add_argument("--prompts", type=Path, default=HERE / "prompts.jsonl", help="batch file to send")
    parser.add_argument("--data-dir", type=Path, help="keep the data here; by default it is removed afterwards")
    parser.add_argument("--port", type=int, help=f"port of the API; by default {FAVOURITE_PORT}, or a free one")
    stay = parser.add_mutually_exclusive_group()
    stay.add_argument("--stay", action="store_true", default=sys.stdin.isatty() and sys.stdout.isatty())
    stay.add_argument("--stop", dest="stay", action="store_false", help="do not keep serving afterwards")
    return parser.parse_args()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill stops Laneway too
    sys.exit(main())
