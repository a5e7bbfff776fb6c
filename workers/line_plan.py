"""Line plans: for each line of a batch, where it would go now and what it may cost."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from providers.failure import ErrorClass, Failure
from providers.prices import PriceBook
from router.batch_inspection import Inspection
from router.batch_line import InputError
from router.deployment import Deployment
from router.listed_price import listed_price
from router.request_bounds import GENEROUS
from router.reservation import job_nanousd, within_reach
from router.route_name import asked_model
from router.routes import RouteTable
from router.routing import FailoverPolicy
from store.ids import new_id
from store.loading import Fault, Line
from workers.asked_lines import AskedLine
from workers.conclusion import error_json
from workers.queues import batch_queue

_UNKNOWN = "model_not_found"
_MOST_ESTIMATES = 10_000
_Measure = tuple[str, FailoverPolicy | None, str | None, int, int | None, int]
"""Of a line: model, how far it may go, service tier; tokens of input, most tokens of an answer, answers."""
_Could = tuple[str, tuple[Deployment, ...]]
"""The queue that a line is planned for, and all deployments that may serve it."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the models of lines one by one."""

    unserved: Callable[[str], str | None]
    """Says of a model that nothing serves it for the batch's key; None where something does."""
    needs_prices: bool
    """Whether every price must be known."""


class LinePlans:
    """Plans the lines of one batch; lines of one model are looked up once."""

    def __init__(self, routes: RouteTable, prices: PriceBook, judge: Judge | None = None) -> None:
        """`judge` judges the models of lines that were not refused with their file; None where all of them were."""
        self._judge = judge
        self._judged: dict[str, InputError | None] = {}
        self._routes = routes
        self._price = partial(listed_price, prices)
        self._known: dict[tuple[str, FailoverPolicy | None], _Could] = {}
        self._estimates: dict[_Measure, int | None] = {}

    def line(self, asked: AskedLine) -> Line:
        """Plan one line."""
        number, custom_id, model, failover, fault, _, body, _, leader = asked
        queue, could = self._could(model, failover)
        if fault := fault or self._fault(model):
            return Line(new_id(), number, custom_id, model, queue, b"", fault=_failed(fault))
        line = Line(new_id(), number, custom_id, model, queue, body, failover, self._estimate(asked, could))
        return line if leader is None else as_twin(line, leader)

    def unpriced(self, inspection: Inspection) -> list[InputError]:
        """List an error for each model of a file whose price is not known, at the first line that names it."""
        unpriced = (model for model in inspection.models if not self._is_priced(model))
        return [_not_priced(model, inspection.first_lines[model]) for model in unpriced]

    def _estimate(self, asked: AskedLine, could: tuple[Deployment, ...]) -> int | None:
        """What a line is to set aside. Lines that are alike in all that counts are reckoned once."""
        bounds, tier = asked.bounds, asked.service_tier
        tokens = (bounds.input_tokens(GENEROUS), bounds.output_tokens, bounds.choices)
        measure = (asked.model, asked.failover, tier, *tokens)
        if measure not in self._estimates:
            if len(self._estimates) >= _MOST_ESTIMATES:
                self._estimates.clear()
            self._estimates[measure] = job_nanousd(bounds, could, self._price, service_tier=tier)
        return self._estimates[measure]

    def _fault(self, model: str) -> InputError | None:
        if self._judge is None:
            return None
        if model not in self._judged:
            message = self._judge.unserved(model)
            fault = None if message is None else InputError(_UNKNOWN, None, message, "model")
            if fault is None and self._judge.needs_prices and not self._is_priced(model):
                fault = _not_priced(model)
            self._judged[model] = fault
        return self._judged[model]

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


def as_twin(line: Line, leader: int) -> Line:
    """Plan a line that another one answers."""
    return line._replace(body=b"", estimate_nanousd=0, leader=leader)


def _failed(fault: InputError) -> Fault:
    kind, status = (ErrorClass.NOT_FOUND, 404) if fault.code == _UNKNOWN else (ErrorClass.BAD_REQUEST, 400)
    return Fault(kind, status, error_json(Failure(kind, fault.message, code=fault.code, param=fault.param)))


def _not_priced(model: str, line: int | None = None) -> InputError:
    message = (
        f"The price of the model {asked_model(model)[:200]!r}, or of one that it may fall back to, is not known, and "
        "this batch is paid for under a budget. Give its price in the configuration, or let the key use unpriced "
        "models."
    )
    return InputError("model_not_priced", line, message, "body.model")
