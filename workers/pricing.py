"""Pricing: what a call costs at a deployment, and what one that is to be made will probably take."""

from providers.completion import Answer, Usage
from providers.limit import Demand
from providers.price import Price
from providers.prices import PriceBook
from router.cost import cost_nanousd
from router.listed_price import listed_price
from router.routes import Deployment
from store.claim import ClaimedJob
from workers.estimate import Estimate


class Pricing:
    """Looks up prices."""

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices

    def price(self, deployment: Deployment, usage: Usage, service_tier: str | None = None) -> Price | None:
        """The price of a call: the configuration's, else the price book's; None where neither knows it."""
        return listed_price(self._prices, deployment, usage.prompt_tokens, service_tier)

    def cost(self, deployment: Deployment, usage: Usage, service_tier: str | None = None) -> int | None:
        """What a call costs, in nano-dollars; None where the price is not known."""
        price = self.price(deployment, usage, service_tier)
        return None if price is None else cost_nanousd(usage, price)

    def demand(self, deployment: Deployment, job: ClaimedJob, estimate: Estimate) -> Demand:
        """Estimate what a call will take."""
        tokens = estimate.of(job.body, counts_asked=deployment.counts_asked)
        usage = Usage(prompt_tokens=tokens.input_tokens, completion_tokens=tokens.output_tokens)
        return Demand(tokens.input_tokens, tokens.output_tokens, self.cost(deployment, usage) or 0)

    def used(self, deployment: Deployment, reserved: Demand, answer: Answer) -> Demand | None:
        """What a call took, as its provider counts; None where it did not say."""
        if answer.usage is None:
            return None
        if deployment.counts_asked:
            taken = reserved
        else:
            taken = Demand(answer.usage.prompt_tokens, answer.usage.completion_tokens)
        cost = answer.reported_cost_nanousd
        if cost is None:
            cost = self.cost(deployment, answer.usage, answer.service_tier) or 0
        return Demand(taken.input_tokens, taken.output_tokens, cost)
