"""`laneway keys`: the same verbs on the database itself and through a server's admin API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.key_secrets import is_well_formed
from tests.laneway_up import LanewayUp, run_cli


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanewayUp]:
    with LanewayUp(tmp_path_factory.mktemp("keys") / "data", "--demo") as laneway:
        yield laneway.wait_ready()


@pytest.fixture(params=["store", "api"])
def where(request: pytest.FixtureRequest, up: LanewayUp) -> list[str]:
    """The flags that say where the keys are."""
    if request.param == "store":
        return ["--data-dir", str(up.data_dir)]
    return ["--url", up.url, "--key-file", str(up.data_dir / "master_key")]


def test_a_key_is_made_used_listed_and_revoked(up: LanewayUp, where: list[str], tmp_path: Path) -> None:
    made = run_cli(["keys", "create", "evals of May", "--expires-in", "30d", *where], cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert is_well_formed(secret)
    assert secret not in made.stderr
    assert "its webhooks are signed with whsec_" in made.stderr
    assert up.get("/v1/models", key=secret).status_code == 200
    listed = run_cli(["keys", "list", "--json", *where], cwd=tmp_path)
    keys = [json.loads(line) for line in listed.stdout.splitlines()]
    key = next(key for key in keys if key["hint"].endswith(secret[-4:]))
    assert (key["name"], key["revoked_at"]) == ("evals of May", None)
    assert 29 * 86_400 < key["expires_at"] - key["created_at"] <= 30 * 86_400
    revoked = run_cli(["keys", "revoke", key["id"], *where], cwd=tmp_path)
    assert revoked.returncode == 0, revoked.stderr
    assert "revoked 20" in revoked.stdout
    after = run_cli(["keys", "list", *where], cwd=tmp_path).stdout
    assert secret not in listed.stdout + revoked.stdout + after
    stored = b"".join(path.read_bytes() for path in up.data_dir.glob("laneway.db*"))
    assert secret.encode() not in stored


def test_a_revoked_key_is_refused(up: LanewayUp, where: list[str], tmp_path: Path) -> None:
    made = json.loads(run_cli(["keys", "create", "short", "--json", *where], cwd=tmp_path).stdout)
    assert run_cli(["keys", "revoke", made["id"], *where], cwd=tmp_path).returncode == 0
    assert up.get("/v1/models", key=made["secret"]).status_code == 401


def test_a_key_that_is_not_there_is_exit_8(where: list[str], tmp_path: Path) -> None:
    for wrong in ("key_aaaaaaaaaaaaaaaaaaaaaaaaaa", "nonsense", "key_../../x"):
        done = run_cli(["keys", "revoke", wrong, *where], cwd=tmp_path)
        assert (done.returncode, done.stdout) == (8, ""), done.stderr


def test_a_wrong_master_key_is_exit_6_and_no_server_exit_7(up: LanewayUp, tmp_path: Path) -> None:
    wrong = {"LANEWAY_MASTER_KEY": "not-the-master-key-of-this-server-0123"}
    done = run_cli(["keys", "list", "--url", up.url], cwd=tmp_path, environ=wrong)
    assert done.returncode == 6
    done = run_cli(["keys", "list", "--url", "http://127.0.0.1:9"], cwd=tmp_path, environ=wrong)
    assert done.returncode == 7
    assert wrong["LANEWAY_MASTER_KEY"] not in done.stderr


def test_an_unusable_life_time_is_exit_2(tmp_path: Path) -> None:
    done = run_cli(["keys", "create", "x", "--expires-in", "soon"], cwd=tmp_path)
    assert done.returncode == 2
    assert "--expires-in soon" in done.stderr


def test_a_key_has_limits_of_its_own(where: list[str], tmp_path: Path) -> None:
    flags = ["--rpm", "60", "--max-parallel-requests", "4", "--weight", "3"]
    made = json.loads(run_cli(["keys", "create", "limited", *flags, "--json", *where], cwd=tmp_path).stdout)
    assert (made["limits"], made["weight"]) == ({"rpm": 60, "max_parallel_requests": 4}, 3)
    listed = run_cli(["keys", "list", *where], cwd=tmp_path).stdout
    assert "rpm=60 max_parallel_requests=4 weight=3" in listed
    assert run_cli(["keys", "create", "limited", "--rpm", "0", *where], cwd=tmp_path).returncode == 2


def test_a_key_is_edited_rotated_blocked_and_deleted(up: LanewayUp, where: list[str], tmp_path: Path) -> None:
    def keys(*words: str) -> dict[str, Any]:
        done = run_cli(["keys", *words, "--json", *where], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    allowed = ["--model", "sim-small", "--model", "sim-e*", "--scope", "read", "--scope", "submit"]
    made = keys("create", "whole", "--owner", "Ada", "--tag", "b", "--tag", "a", "--monthly", "2.5", *allowed)
    assert (made["models"], made["scopes"], made["tags"]) == (["sim-small", "sim-e*"], ["submit", "read"], ["a", "b"])
    assert (made["budgets"], made["owner"]) == ({"monthly": "2.5"}, "Ada")
    limits = ["--rpm", "9", "--keep-content", "2d", "--store-bodies"]
    edited = keys("edit", made["id"], "--name", "other", "--model", "none", *limits)
    assert (edited["name"], edited["models"], edited["limits"]) == ("other", None, {"rpm": 9})
    assert (edited["keep_content_s"], edited["store_bodies"]) == (172_800, True)
    assert keys("edit", made["id"], "--rpm", "none", "--expires-in", "never")["limits"] == {}
    rotated = keys("rotate", made["id"], "--overlap", "0")
    assert up.get("/v1/models", key=made["secret"]).status_code == 401
    assert up.get("/v1/models", key=rotated["secret"]).status_code == 200
    assert keys("block", made["id"])["status"] == "blocked"
    assert keys("list", "--owner", "Ada", "--status", "blocked")["id"] == made["id"]
    assert keys("unblock", made["id"])["status"] == "active"
    shown = run_cli(["keys", "show", made["id"], *where], cwd=tmp_path).stdout
    assert "scopes:         submit, read" in shown
    assert keys("delete", made["id"])["deleted"] is True
    gone = run_cli(["keys", "show", made["id"], *where], cwd=tmp_path)
    assert (gone.returncode, gone.stdout) == (8, "")
