"""Settings: flags before the environment before the file before the defaults."""

from pathlib import Path

import pytest

from cli.failure import CommandError
from cli.loopback import http_url, is_loopback, reachable_at
from cli.pepper import find_pepper, other_peppers
from cli.programs import wants_simulator
from cli.settings import Flags, Settings, load_settings, next_database, with_driver
from router.config import parse_config


def load(tmp_path: Path, yaml: str = "", flags: Flags | None = None, **environ: str) -> Settings:
    if yaml:
        (tmp_path / "laneway.yaml").write_text(yaml)
        environ = {"LANEWAY_CONFIG": str(tmp_path / "laneway.yaml"), **environ}
    return load_settings(flags or Flags(), {"LANEWAY_DATA_DIR": str(tmp_path / "d"), **environ})


def test_the_defaults_need_nothing(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.database_url == f"sqlite:///{tmp_path}/d/laneway.db"
    assert (settings.redis_url, settings.state_url, settings.master_key) == (None, None, None)


def test_the_address_comes_from_flag_environment_file_default(tmp_path: Path) -> None:
    yaml = 'server: {listen: "127.0.0.2:1111"}'
    assert load(tmp_path, yaml).port == 1111
    assert load(tmp_path, yaml, LANEWAY_SERVER__LISTEN="127.0.0.3:2222").port == 2222
    flagged = load(tmp_path, yaml, Flags(host="::1", port=3333), LANEWAY_SERVER__LISTEN="127.0.0.3:2222")
    assert (flagged.host, flagged.port) == ("::1", 3333)


def test_the_database_comes_from_environment_file_default(tmp_path: Path) -> None:
    yaml = 'store: {url: "sqlite:////in/file.db"}'
    assert load(tmp_path, yaml).database_url == "sqlite:////in/file.db"
    assert load(tmp_path, yaml, DATABASE_URL="sqlite:////in/env.db").database_url == "sqlite:////in/env.db"
    both = load(tmp_path, yaml, DATABASE_URL="sqlite:////a.db", LANEWAY_STORE__URL="sqlite:////b.db")
    assert both.database_url == "sqlite:////b.db"


def test_the_data_directory_comes_from_flag_environment_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(Flags(), {}).data_dir == tmp_path / ".laneway"
    assert load(tmp_path).data_dir == tmp_path / "d"
    assert load(tmp_path, flags=Flags(data_dir=Path("e"))).data_dir == tmp_path / "e"


def test_the_master_key_of_the_environment_wins(tmp_path: Path) -> None:
    yaml = "server: {master_key: in-file}"
    assert load(tmp_path, yaml).master_key == "in-file"
    assert load(tmp_path, yaml, LANEWAY_MASTER_KEY="in-env").master_key == "in-env"


def test_no_secret_is_in_the_repr(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        LANEWAY_MASTER_KEY="s3cret-key",
        DATABASE_URL="postgresql://u:s3cret-db@h/n",
        REDIS_URL="redis://:s3cret-redis@h:6379/0",
        LANEWAY_PEPPER="s3cret-pepper-000",
    )
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "following"),
    [
        ("redis://h:6379/0", "redis://h:6379/1"),
        ("redis://h:6379", "redis://h:6379/1"),
        ("rediss://:pw@h:6379/7", "rediss://:pw@h:6379/8"),
        ("redis://h:6379/0?socket_timeout=3", "redis://h:6379/1?socket_timeout=3"),
        ("redis://h:6379?db=4", "redis://h:6379?db=5"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock?db=1"),
        ("unix:///run/valkey.sock?db=2", "unix:///run/valkey.sock?db=3"),
    ],
)
def test_the_state_is_in_the_database_after_the_brokers(given: str, following: str, tmp_path: Path) -> None:
    assert next_database(given) == following
    assert load(tmp_path, REDIS_URL=given).state_url == following
    assert load(tmp_path, REDIS_URL=given, LANEWAY_REDIS_STATE_URL="redis://x/9").state_url == "redis://x/9"


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("postgres://u:p@h:5432/n", "postgresql+asyncpg://u:p@h:5432/n"),
        ("postgresql://h/n?sslmode=require", "postgresql+asyncpg://h/n?ssl=require"),
        ("postgresql+asyncpg://h/n", "postgresql+asyncpg://h/n"),
        ("sqlite:////abs/l.db", "sqlite:////abs/l.db"),
    ],
)
def test_database_urls_are_spelled_for_our_drivers(given: str, spelled: str) -> None:
    assert with_driver(given) == spelled


def test_a_relative_sqlite_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_driver("sqlite:///./x/l.db") == f"sqlite:///{tmp_path}/x/l.db"


@pytest.mark.parametrize("url", ["mysql://h/n", "sqlite://", "sqlite:///:memory:", "laneway.db"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(CommandError, match="sqlite:///"):
        with_driver(url)


def test_a_grace_that_is_no_number_is_refused(tmp_path: Path) -> None:
    assert load(tmp_path, LANEWAY_GRACE_MS="250").grace_ms == 250
    with pytest.raises(CommandError, match="LANEWAY_GRACE_MS"):
        load(tmp_path, LANEWAY_GRACE_MS="30s")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1"])
def test_loopback_addresses_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "0", "10.0.0.1", "1.2.3.4", "laneway.local", "::ffff:10.0.0.1"])
def test_everything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_addresses_are_spelled_for_clients() -> None:
    assert http_url(reachable_at("0.0.0.0"), 80) == "http://127.0.0.1:80"
    assert http_url(reachable_at("::"), 80) == "http://[::1]:80"


def test_a_pepper_is_made_once_and_read_as_hex_or_text(tmp_path: Path) -> None:
    settings = load(tmp_path)
    settings.data_dir.mkdir()
    with pytest.raises(CommandError, match="no pepper"):
        find_pepper(settings, make=False)
    made = find_pepper(settings, make=True)
    assert len(made) == 32
    assert find_pepper(settings, make=True) == find_pepper(settings, make=False) == made
    assert find_pepper(load(tmp_path, LANEWAY_PEPPER="00ff" * 8), make=False) == bytes.fromhex("00ff" * 8)
    assert find_pepper(load(tmp_path, LANEWAY_PEPPER="words, words, words"), make=False) == b"words, words, words"
    with pytest.raises(CommandError, match="too short"):
        find_pepper(load(tmp_path, LANEWAY_PEPPER="word"), make=False)


def test_another_pepper_is_accepted_beside_the_one_in_use(tmp_path: Path) -> None:
    assert other_peppers(load(tmp_path)) == ()
    assert other_peppers(load(tmp_path, LANEWAY_OTHER_PEPPER="00ff" * 8)) == (bytes.fromhex("00ff" * 8),)
    (tmp_path / "other").write_text("in a file of its own\n")
    assert other_peppers(load(tmp_path, LANEWAY_OTHER_PEPPER_FILE=str(tmp_path / "other"))) == (
        b"in a file of its own",
    )
    with pytest.raises(CommandError, match="LANEWAY_OTHER_PEPPER is too short"):
        other_peppers(load(tmp_path, LANEWAY_OTHER_PEPPER="word"))


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({}, False),
        ({"providers": {"openai": {"api_key": "x"}}}, False),
        ({"providers": {"simulator": {}}}, True),
        ({"providers": {"sim": {"type": "simulator"}}}, True),
        ({"providers": {"sim": {"type": "simulator", "base_url": "http://127.0.0.1:1/v1"}}}, False),
        ({"models": {"m": {"deployments": [{"use": "simulator/sim-small"}]}}}, True),
        ({"models": {"m": {"deployments": [{"use": "openai/x"}], "fallbacks": ["simulator/sim-small"]}}}, True),
    ],
)
def test_the_simulator_is_started_for_configurations_that_leave_its_address_to_us(
    data: dict[str, object], wanted: bool
) -> None:
    assert wants_simulator(parse_config(data, {})) is wanted
