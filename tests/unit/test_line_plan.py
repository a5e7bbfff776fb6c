"""Line plans: what a batch's line may cost, and the models that no budget can hold."""

import pytest

from providers.catalogue import load_catalogue
from providers.prices import PriceBook
from router.batch_inspection import Inspection
from router.batch_line import Request
from router.config import parse_config
from router.routes import build_routes
from router.routing import FailoverPolicy
from workers.line_plan import LinePlans

CHEAP = {"input": "1", "output": "1"}
DEAR = {"input": "1", "output": "100"}


@pytest.fixture(scope="module")
def plans() -> LinePlans:
    gpu = {"type": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "k"}
    data = {
        "providers": {"gpu": {**gpu, "prices": {"cheap": CHEAP, "dear": DEAR}}},
        "models": {
            "plain": {"deployments": [{"use": "gpu/cheap"}], "fallbacks": ["gpu/dear"]},
            "half": {"deployments": [{"use": "gpu/cheap"}], "fallbacks": ["gpu/nobody-knows"]},
        },
    }
    return LinePlans(build_routes(parse_config(data, {}), load_catalogue(), {}), PriceBook())


def request(model: str, failover: FailoverPolicy | None = None) -> Request:
    return Request(7, "c", model, {"model": model, "messages": [], "max_tokens": 10}, failover)


def test_a_line_is_estimated_at_the_dearest_deployment_that_it_may_reach(plans: LinePlans) -> None:
    line = plans.line(3, request("plain", FailoverPolicy.CHAIN))
    tokens = -(-len(line.body) // 3)
    assert (line.number, line.queue, line.failover) == (3, "gpu.batch", FailoverPolicy.CHAIN)
    assert line.estimate_nanousd == tokens * 1_000 + 10 * 100_000
    assert plans.line(3, request("plain", FailoverPolicy.SAME_MODEL)).estimate_nanousd == tokens * 1_000 + 10 * 1_000


def test_a_line_that_may_reach_a_model_without_a_price_has_no_estimate(plans: LinePlans) -> None:
    assert plans.line(1, request("half", FailoverPolicy.CHAIN)).estimate_nanousd is None
    assert plans.line(1, request("half", FailoverPolicy.SAME_MODEL)).estimate_nanousd is not None


def test_each_model_without_a_price_is_named_at_its_first_line(plans: LinePlans) -> None:
    inspection = Inspection("/v1/chat/completions", lambda _model: None)
    line = b'{"custom_id":"%d","method":"POST","url":"/v1/chat/completions","body":{"model":"%s","messages":[{}]}}'
    inspection.add([(n, line % (n, model)) for n, model in enumerate((b"plain", b"gpu/new", b"gpu/new"), start=1)])
    (error,) = plans.unpriced(inspection)
    assert (error.code, error.line, error.param) == ("model_not_priced", 2, "body.model")
    assert "'gpu/new'" in error.message
