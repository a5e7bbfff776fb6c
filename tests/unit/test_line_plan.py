"""Line plans: what a batch's line may cost, and the models that no budget can hold."""

import pytest

from providers.catalogue import load_catalogue
from providers.prices import PriceBook
from router.batch_inspection import Inspection
from router.batch_line import Request
from router.config import parse_config
from router.routes import build_routes
from router.routing import FailoverPolicy
from workers.asked_lines import AskedLine, asked_line
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


def asked(number: int, model: str, failover: FailoverPolicy | None = None, leader: int | None = None) -> AskedLine:
    body = {"model": model, "messages": [], "max_tokens": 10}
    return asked_line(number, Request(7, "c", model, body, failover), leader)


def test_a_line_is_estimated_at_the_dearest_deployment_that_it_may_reach(plans: LinePlans) -> None:
    line = plans.line(asked(3, "plain", FailoverPolicy.CHAIN))
    tokens = -(-len(line.body) // 3)
    assert (line.number, line.queue, line.failover) == (3, "gpu.batch", FailoverPolicy.CHAIN)
    assert line.estimate_nanousd == tokens * 1_000 + 10 * 100_000
    assert plans.line(asked(3, "plain", FailoverPolicy.SAME_MODEL)).estimate_nanousd == tokens * 1_000 + 10 * 1_000


def test_a_line_that_may_reach_a_model_without_a_price_has_no_estimate(plans: LinePlans) -> None:
    assert plans.line(asked(1, "half", FailoverPolicy.CHAIN)).estimate_nanousd is None
    assert plans.line(asked(1, "half", FailoverPolicy.SAME_MODEL)).estimate_nanousd is not None


def test_a_line_that_another_one_answers_has_no_body_and_costs_nothing(plans: LinePlans) -> None:
    line = plans.line(asked(4, "half", leader=2))
    assert (line.number, line.body, line.estimate_nanousd, line.leader) == (4, b"", 0, 2)


def test_lines_have_ids_of_their_own_in_their_order(plans: LinePlans) -> None:
    ids = [plans.line(asked(number, "plain")).id for number in range(1, 100)]
    assert ids == sorted(set(ids))


def test_each_model_without_a_price_is_named_at_its_first_line(plans: LinePlans) -> None:
    inspection = Inspection("/v1/chat/completions", lambda _model: None)
    line = b'{"custom_id":"%d","method":"POST","url":"/v1/chat/completions","body":{"model":"%s","messages":[{}]}}'
    inspection.add([(n, line % (n, model)) for n, model in enumerate((b"plain", b"gpu/new", b"gpu/new"), start=1)])
    (error,) = plans.unpriced(inspection)
    assert (error.code, error.line, error.param) == ("model_not_priced", 2, "body.model")
    assert "'gpu/new'" in error.message
