"""Line plans: for each line of a batch, where it would go now and what it may cost."""

from functools import partial

import orjson

from providers.prices import PriceBook
from router.batch_inspection import Inspection
from router.batch_line import InputError, Request
from router.deployment import Deployment
from router.listed_price import listed_price
from router.request_bounds import bounds_of
from router.reservation import job_nanousd, within_reach
from router.routes import RouteTable
from router.routing import FailoverPolicy
from store.loading import Line
from workers.queues import batch_queue

_Could = tuple[str, tuple[Deployment, ...]]
"""The queue that a line is planned for, and all deployments that may serve it."""


class LinePlans:
    """Plans the lines of one batch; lines of one model are looked up once."""

    def __init__(self, routes: RouteTable, prices: PriceBook) -> None:
        self._routes = routes
        self._price = partial(listed_price, prices)
        self._known: dict[tuple[str, FailoverPolicy | None], _Could] = {}

    def line(self, number: int, request: Request) -> Line:
        """Plan one line."""
        queue, could = self._could(request.model, request.failover)
        body = orjson.dumps(request.body)
        tier = request.body.get("service_tier")
        estimate = job_nanousd(
            bounds_of(request.body, body), could, self._price, service_tier=tier if type(tier) is str else None
        )
        return Line(number, request.custom_id, request.model, queue, body, request.failover, estimate_nanousd=estimate)

    def unpriced(self, inspection: Inspection) -> list[InputError]:
        """List an error for each model of a file whose price is not known, at the first line that names it."""
        unpriced = (model for model in inspection.models if not self._is_priced(model))
        return [_not_priced(model, inspection.first_lines[model]) for model in unpriced]

    def _is_priced(self, model: str) -> bool:
        return all(self._price(each, 0, None) is not None for each in self._could(model, None)[1])

    def _could(self, model: str, policy: FailoverPolicy | None) -> _Could:
        known = self._known.get((model, policy))
        if known is None:
            route = self._routes.resolve(model)
            # The route was there when the file was checked; without it the line fails when it is called.
            provider = route.deployments[0].provider if route else self._routes.providers()[0]
            could = within_reach(route, policy) if route else ()
            known = self._known[model, policy] = (batch_queue(provider), could)
        return known


def _not_priced(model: str, line: int) -> InputError:
    message = (
        f"The price of the model {model[:200]!r}, or of one that it may fall back to, is not known, and this batch is "
        "paid for under a budget. Give its price in the configuration, or let the key use unpriced models."
    )
    return InputError("model_not_priced", line, message, "body.model")
