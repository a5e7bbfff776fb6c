"""Variables in a configuration: references in values, and variables that override settings."""

import pytest

from router.config import ConfigError, parse_config
from router.expansion import expand, override

ENVIRON = {"A": "alpha", "EMPTY": "", "B_2": "beta"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("${A}", "alpha"),
        ("x-${A}-${B_2}-y", "x-alpha-beta-y"),
        ("${EMPTY}", ""),
        ("${EMPTY:-filled}", "filled"),
        ("${NOPE:-filled}", "filled"),
        ("${NOPE:-}", ""),
        ("${NOPE:-http://h:1/v1?a=b}", "http://h:1/v1?a=b"),
        ("${A:-unused}", "alpha"),
        ("os.environ/A", "alpha"),
        ("see os.environ/A", "see os.environ/A"),
        ("$${A}", "${A}"),
        ("$A and $5", "$A and $5"),
    ],
)
def test_references_are_replaced_by_values(written: str, read: str) -> None:
    assert expand(written, ENVIRON) == read


def test_values_are_expanded_at_any_depth_and_keys_and_numbers_are_left_alone() -> None:
    data = {"${A}": [{"x": "${A}"}, 1, None, True, 0.5]}
    assert expand(data, ENVIRON) == {"${A}": [{"x": "alpha"}, 1, None, True, 0.5]}


def test_what_a_variable_holds_is_not_expanded_again() -> None:
    assert expand("${A}", {"A": "${B}", "B": "no"}) == "${B}"


@pytest.mark.parametrize("written", ["${NOPE}", "os.environ/NOPE", "x${NOPE}"])
def test_a_variable_that_is_not_set_is_named_with_its_place(written: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"providers": {"openai": {"api_key": written}}}, ENVIRON)
    assert caught.value.path == "providers.openai.api_key"
    assert caught.value.message == "the environment variable NOPE is not set"


@pytest.mark.parametrize("written", ["${", "${A", "${}", "${1A}", "${A-b}", "${A:?b}"])
def test_a_malformed_reference_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="malformed reference"):
        expand({"a": ["${A}", written]}, ENVIRON)


def test_a_number_from_a_variable_is_a_number() -> None:
    config = parse_config({"routing": {"max_attempts": "${N}", "timeout": "${T}"}}, {"N": "7", "T": "30"})
    assert (config.routing.max_attempts, config.routing.timeout_ms) == (7, 30_000)


def test_variables_win_over_the_file() -> None:
    environ = {
        "LANEWAY_SERVER__LISTEN": "0.0.0.0:80",
        "LANEWAY_ROUTING__MAX_ATTEMPTS": "9",
        "LANEWAY_STORE__URL": "sqlite:///x.db",
        "LANEWAY_BATCHES__MAX_FILE_BYTES": "1GiB",
        "LANEWAY_MASTER_KEY": "from-environment",
        "LANEWAY_DATA_DIR": "elsewhere",
    }
    data = {"server": {"listen": "127.0.0.1:1", "master_key": "from-file"}, "routing": None}
    config = parse_config(data, environ)
    assert (config.server.listen, config.routing.max_attempts) == ("0.0.0.0:80", 9)
    assert config.batches.max_file_bytes == 1 << 30
    assert config.server.master_key is not None
    assert config.server.master_key.get_secret_value() == "from-environment"
    assert data == {"server": {"listen": "127.0.0.1:1", "master_key": "from-file"}, "routing": None}


def test_an_empty_master_key_variable_leaves_the_file_alone() -> None:
    assert override({"server": {"master_key": "m"}}, {"LANEWAY_MASTER_KEY": ""}) == {"server": {"master_key": "m"}}


@pytest.mark.parametrize("variable", ["LANEWAY_SERVR__LISTEN", "LANEWAY_PROVIDERS__OPENAI"])
def test_a_variable_for_a_section_that_cannot_be_overridden_is_refused(variable: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        override({}, {variable: "x"})


def test_an_unknown_setting_in_a_variable_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({}, {"LANEWAY_SERVER__LISTN": "x"})
    assert (caught.value.path, caught.value.suggestion) == ("server.listn", "did you mean 'listen'?")


def test_a_section_of_the_wrong_shape_is_still_refused_when_a_variable_overrides_it() -> None:
    with pytest.raises(ConfigError, match="server"):
        parse_config({"server": "x"}, {"LANEWAY_MASTER_KEY": "m"})
