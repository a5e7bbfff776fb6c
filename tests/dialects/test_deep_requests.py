"""A request nested deeper than can be written is refused by every dialect, and never breaks one."""

import pytest

from providers.catalogue.model_trait import ModelTrait
from providers.completion import Endpoint, Target
from providers.dialects import dialect, dialect_names
from providers.failure import ErrorClass, Failure

WORLD = (frozenset[str](), frozenset({ModelTrait.JSON_SCHEMA}))


@pytest.mark.parametrize("levels", [300, 900])
@pytest.mark.parametrize("traits", WORLD, ids=["plain", "json_schema"])
@pytest.mark.parametrize("name", dialect_names())
def test_a_schema_that_is_too_deep_is_refused(name: str, traits: frozenset[str], levels: int) -> None:
    schema = b'{"type":"object"}'
    for _ in range(levels // 2):
        schema = b'{"type":"object","additionalProperties":false,"properties":{"a":' + schema + b"}}"
    wish = b'{"type":"json_schema","json_schema":{"name":"a","schema":' + schema + b"}}"
    body = b'{"messages":[{"role":"user","content":"x"}],"response_format":' + wish + b"}"
    settings = (("region", "eu-west-1"),)
    target = Target("acme", name, "https://acme.test/v1", "m", "key", settings=settings, model_traits=traits)
    failure = dialect(name).encode(Endpoint.CHAT, body, target)
    assert isinstance(failure, Failure)
    assert failure.error_class is ErrorClass.BAD_REQUEST
    assert "nested too deeply" in failure.message
