"""`laneway providers`: what is on and why, whether it answers, and the page about all of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml

from cli.failure import CommandError
from cli.provider_page import provider_page
from cli.secret_files import with_secret_files
from providers.catalogue import load_catalogue
from providers.probe import Verdict, open_prober
from providers.simulator.process import SimulatorProcess
from router.config import parse_config
from router.routes import build_routes
from tests.laneway_up import ROOT, LanewayUp, run_cli
from tests.services.scripted_server import Received, ScriptedServer, http, scripted

SECRET = "sk-of-nobody-0123456789"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def configured(tmp_path: Path, **providers: dict[str, Any]) -> list[str]:
    """The flag that names a configuration with these providers."""
    file = tmp_path / "laneway.yaml"
    file.write_text(yaml.safe_dump({"providers": providers}, sort_keys=False))
    return ["--config", str(file)]


def test_what_is_on_is_listed_with_its_origin_and_without_its_key(tmp_path: Path) -> None:
    config = configured(tmp_path, gpu={"type": "vllm", "base_url": "http://gpu1:8000/v1", "api_key": SECRET})
    environ = {"GROQ_API_KEY": SECRET}
    listed = run_cli(["providers", "list", "--json", *config], cwd=tmp_path, environ=environ)
    assert listed.returncode == 0, listed.stderr
    found = {each["name"]: each for each in lines(listed.stdout)}
    assert list(found) == ["gpu", "groq"]
    assert (found["gpu"]["origin"], found["gpu"]["credential"]) == ("providers.gpu", "providers.gpu.api_key")
    assert (found["groq"]["origin"], found["groq"]["base_url"]) == ("GROQ_API_KEY", "https://api.groq.com/openai/v1")
    assert found["groq"]["capabilities"]["tools"] is True
    table = run_cli(["providers", "list", "--all", *config], cwd=tmp_path, environ=environ).stdout
    assert [line.split()[0] for line in table.splitlines()[:3]] == ["NAME", "gpu", "groq"]
    assert "Set XAI_API_KEY to use xai." in table
    assert SECRET not in listed.stdout + table


def test_every_known_provider_is_listed_once(tmp_path: Path) -> None:
    listed = run_cli(["providers", "list", "--all", "--json"], cwd=tmp_path, environ={"GROQ_API_KEY": SECRET})
    names = [each["name"] for each in lines(listed.stdout)]
    assert sorted(names) == sorted(load_catalogue())


def test_a_check_says_how_each_provider_answers_and_fails_when_one_does(tmp_path: Path) -> None:
    with SimulatorProcess.start() as simulator:
        config = configured(
            tmp_path,
            up={"type": "openai_compatible", "base_url": simulator.url},
            down={"type": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "api_key": SECRET},
        )
        both = run_cli(["providers", "check", "--json", *config], cwd=tmp_path)
        assert both.returncode == 1, both.stderr
        assert [(each["name"], each["verdict"]) for each in lines(both.stdout)] == [("up", "ok"), ("down", "network")]
        assert all(each["duration_ms"] >= 0 for each in lines(both.stdout))
        one = run_cli(["providers", "check", "up", *config], cwd=tmp_path)
        assert (one.returncode, one.stdout.splitlines()[1].split()[:2]) == (0, ["up", "ok"])
        none = run_cli(["providers", "check", "groq", *config], cwd=tmp_path)
        assert (none.returncode, none.stdout) == (8, "")
        assert "Set GROQ_API_KEY to use groq." in none.stderr
    assert SECRET not in both.stdout + both.stderr


async def probed(answer: bytes, entry: dict[str, Any]) -> tuple[Verdict, str, list[Received]]:
    """Check one provider against a server that gives this answer."""
    async with scripted(_answering(answer)) as server, open_prober() as prober:
        data = {"providers": {"p": {"base_url": server.base_url, **entry}}}
        connection = build_routes(parse_config(data, {}), load_catalogue(), {}).connections["p"]
        probe = await prober.probe(connection.to("check"), connection.check_url)
        return probe.verdict, probe.message, server.requests


def _answering(
    answer: bytes,
) -> Callable[[ScriptedServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def script(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(Received((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"), b""))
        writer.write(answer)
        await writer.drain()

    return script


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b"{}", Verdict.OK),
        (429, b"{}", Verdict.OK),
        (401, b'{"error": {"message": "no"}}', Verdict.AUTH),
        (403, b"", Verdict.AUTH),
        (400, b'{"error": {"code": "invalid_api_key", "message": "no"}}', Verdict.AUTH),
        (402, b"", Verdict.AUTH),
        (503, b"", Verdict.NETWORK),
        (404, b"", Verdict.NOT_CHECKABLE),
        (302, b"", Verdict.NETWORK),
    ],
)
async def test_an_answer_to_a_check_is_read_as_that_of_a_call(status: int, body: bytes, verdict: Verdict) -> None:
    answer = http(body, status=status, headers=("location: http://127.0.0.1:9/",))
    found, message, _ = await probed(answer, {"type": "openai", "api_key": SECRET})
    assert found is verdict, message


async def test_a_check_shows_the_same_credential_as_a_call_and_no_body() -> None:
    _, _, (request,) = await probed(http(b"{}"), {"type": "anthropic", "api_key": SECRET})
    assert request.head.startswith("GET /v1/models HTTP/1.1")
    assert request.header("x-api-key") == [SECRET]
    assert len(request.header("anthropic-version")) == 1
    assert not request.header("content-type") + request.header("content-length")


async def test_a_check_signs_its_request_where_there_is_no_key() -> None:
    own = {"access_key_id": "AKIA1", "secret_access_key": SECRET}
    async with scripted(_answering(http(b"{}"))) as server, open_prober() as prober:
        data = {"providers": {"p": {"type": "bedrock", "region": "r1", "settings": own, "base_url": server.base_url}}}
        connection = build_routes(parse_config(data, {}), load_catalogue(), {}).connections["p"]
        probe = await prober.probe(connection.to("check"), server.base_url)
        (authorization,) = server.requests[0].header("authorization")
    assert probe.verdict is Verdict.OK
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIA1/")


async def test_what_cannot_be_asked_for_free_is_not_asked() -> None:
    found, _, requests = await probed(http(b"{}"), {"type": "perplexity", "api_key": SECRET})
    assert (found, requests) == (Verdict.NOT_CHECKABLE, [])


def test_a_server_of_ones_own_serves_calls_without_a_row(tmp_path: Path) -> None:
    with SimulatorProcess.start() as simulator:
        entry = {"dialect": "openai", "base_url": simulator.url, "quirks": ["system_role", "max_tokens"]}
        config = configured(tmp_path, acme=entry)
        with LanewayUp(tmp_path / "data", *config) as up:
            up.wait_ready()
            client = openai.OpenAI(base_url=f"{up.url}/v1", api_key=up.master_key, max_retries=0)
            answer = client.chat.completions.create(
                model="acme/sim-small", messages=[{"role": "developer", "content": "hi"}], max_completion_tokens=5
            )
            with pytest.raises(openai.NotFoundError, match="Set GROQ_API_KEY to use groq"):
                client.chat.completions.create(model="groq/llama", messages=[{"role": "user", "content": "hi"}])
            client.close()
        assert answer.choices[0].message.content
        assert simulator.stats()["calls"] >= 1


def test_a_key_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    listed = run_cli(["providers", "list", "--json"], cwd=tmp_path, environ={"OPENAI_API_KEY_FILE": str(file)})
    assert [each["credential"] for each in lines(listed.stdout)] == ["OPENAI_API_KEY"]
    assert SECRET not in listed.stdout
    environ = {"OPENAI_API_KEY_FILE": str(file), "AWS_WEB_IDENTITY_TOKEN_FILE": "/not/ours", "OTHER_FILE": "/x"}
    read = with_secret_files(environ)
    assert read == {"OPENAI_API_KEY": SECRET, "AWS_WEB_IDENTITY_TOKEN_FILE": "/not/ours", "OTHER_FILE": "/x"}


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused_by_its_variable(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError, match="GROQ_API_KEY_FILE"):
        with_secret_files({"GROQ_API_KEY_FILE": str(file)})


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET)
    with pytest.raises(CommandError, match="GROQ_API_KEY and GROQ_API_KEY_FILE are both set"):
        with_secret_files({"GROQ_API_KEY": "k", "GROQ_API_KEY_FILE": str(file)})


def test_the_page_about_providers_says_what_the_data_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "providers.md").read_text()
    assert page == provider_page(load_catalogue().values()), "write it anew: laneway providers docs > docs/providers.md"
    assert page == run_cli(["providers", "docs"], cwd=tmp_path).stdout
    assert all(f"| `{name}` |" in page for name in load_catalogue())
