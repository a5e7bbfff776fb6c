"""A large file passes through the API without ever being in its memory."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.system.conftest import MASTER_KEY

ROOT = Path(__file__).parents[2]
CHUNK = b"0123456789abcdef" * 16_384  # 256 KiB
SIZE_BYTES = 200 << 20
MOST_GROWTH_BYTES = 40 << 20


@pytest.fixture
def api_process(tmp_path: Path) -> Iterator[tuple[psutil.Process, int]]:
    """The API in a process of its own, and its port."""
    command = [sys.executable, "-m", "tests.system.api_process", f"sqlite:///{tmp_path}/laneway.db", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield psutil.Process(process.pid), int(process.stdout.readline())
        process.stdin.close()
        assert process.wait(120) == 0


def test_memory_stays_flat_while_200_mb_go_in_and_out(api_process: tuple[psutil.Process, int], tmp_path: Path) -> None:
    process, port = api_process
    seen_bytes: list[int] = []

    def body() -> Iterator[bytes]:
        yield b'--XX\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        yield b'--XX\r\nContent-Disposition: form-data; name="file"; filename="big"\r\n\r\n'
        for _ in range(SIZE_BYTES // len(CHUNK)):
            seen_bytes.append(process.memory_info().rss)
            yield CHUNK
        yield b"\r\n--XX--\r\n"

    headers = {"authorization": f"Bearer {MASTER_KEY}", "content-type": "multipart/form-data; boundary=XX"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=300) as http:
        before_bytes = process.memory_info().rss
        made = http.post("/v1/files", content=body()).raise_for_status().json()
        assert made["bytes"] == SIZE_BYTES
        received = 0
        with http.stream("GET", f"/v1/files/{made['id']}/content") as answer:
            for piece in answer.iter_raw():
                received += len(piece)
                seen_bytes.append(process.memory_info().rss)
    assert received == SIZE_BYTES
    assert max(seen_bytes) - before_bytes < MOST_GROWTH_BYTES
    (stored,) = (tmp_path / "files").iterdir()
    assert stored.stat().st_size == SIZE_BYTES
