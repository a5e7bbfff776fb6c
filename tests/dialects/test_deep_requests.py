"""A request nested deeper than can be written is refused by every dialect, and never breaks one."""

import pytest

from providers.catalogue.model_trait import ModelTrait
from providers.completion import Endpoint, Target
from providers.dialects import dialect, dialect_names
from providers.failure import ErrorClass, Failure

TRAITS = (frozenset[str](), frozenset({ModelTrait.STRICT_TOOLS}))


@pytest.mark.parametrize("levels", [300, 900])
@pytest.mark.parametrize("traits", TRAITS, ids=["plain", "strict"])
@pytest.mark.parametrize("name", dialect_names())
def test_a_schema_that_is_too_deep_is_refused(name: str, traits: frozenset[str], levels: int) -> None:
    schema = b'{"type":"object"}'
    for _ in range(levels // 2):
        schema = b'{"type":"object","additionalProperties":false,"properties":{"a":' + schema + b"}}"
    tool = b'{"type":"function","function":{"name":"a","strict":true,"parameters":' + schema + b"}}"
    body = b'{"messages":[{"role":"user","content":"x"}],"tools":[' + tool + b"]}"
    settings = (("region", "eu-west-1"),)
    target = Target("acme", name, "https://acme.test/v1", "m", "key", settings=settings, model_traits=traits)
    failure = dialect(name).encode(Endpoint.CHAT, body, target)
    assert isinstance(failure, Failure)
    assert failure.error_class is ErrorClass.BAD_REQUEST
    assert "nested too deeply" in failure.message
