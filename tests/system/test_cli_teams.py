"""`laneway teams` and `laneway audit`: on the database itself and through a server's admin API."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.laneway_up import run_cli
from tests.system.conftest import MASTER_KEY, ApiServer

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(params=["store", "api"])
def run(request: pytest.FixtureRequest, shared_api: ApiServer, tmp_path: Path) -> Run:
    """Runs a command at one place, or at the other."""
    if request.param == "store":
        flags, environ = [], {"DATABASE_URL": shared_api.database_url}
    else:
        flags, environ = ["--url", shared_api.url], {"LANEWAY_MASTER_KEY": MASTER_KEY}
    return lambda *arguments: run_cli([*arguments, *flags], cwd=tmp_path, environ=environ)


def objects(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_team_is_made_listed_edited_and_deleted_and_every_act_is_logged(
    run: Run, request: pytest.FixtureRequest
) -> None:
    made = run("teams", "create", "evals of May", "--daily", "2.50", "--total", "100", "--json")
    (team,) = objects(made)
    assert (team["name"], team["shares"]) == ("evals of May", False)
    assert {period: budget["limit_usd"] for period, budget in team["budgets"].items()} == {
        "daily": "2.5",
        "total": "100",
    }
    (edited,) = objects(run("teams", "edit", team["id"], "--shares", "--daily", "none", "--json"))
    assert (edited["shares"], list(edited["budgets"])) == (True, ["total"])
    assert edited in objects(run("teams", "list", "--json"))
    shown = run("teams", "show", team["id"]).stdout
    assert "0 of 100" in shown
    assert "evals of May" in shown
    assert run("teams", "delete", team["id"]).stdout == f"deleted {team['id']}\n"
    acts = objects(run("audit", "--object", team["id"], "--since", "2026-01-01", "--json"))
    assert [act["action"] for act in acts] == ["team.deleted", "team.edited", "team.created"]
    actor = {"store": "database", "api": "master"}[request.node.callspec.params["run"]]
    assert {act["actor"]["name"] for act in acts} == {actor}
    (newest,) = run("audit", "--object", team["id"], "--limit", "1").stdout.splitlines()[1:]
    assert newest.split()[2:5] == [actor, "team.deleted", team["id"]]


def test_what_there_is_not_is_exit_8_and_what_makes_no_sense_exit_2(run: Run) -> None:
    missing = "team_" + "a" * 26
    for arguments in (("show", missing), ("show", "team_../../x"), ("edit", missing), ("delete", missing)):
        done = run("teams", *arguments)
        assert (done.returncode, done.stdout) == (8, ""), done.stderr
    refused = run("teams", "create", "x", "--daily", "plenty")
    assert refused.returncode == 2
    assert "budgets.daily" in refused.stderr
    assert run("audit", "--actor", "somebody").returncode == 2
    assert run("audit", "--since", "yesterday").returncode == 2
    nothing = run("audit", "--object", "team_of_nobody")
    assert (nothing.returncode, nothing.stdout) == (0, "nothing of that was done\n")
