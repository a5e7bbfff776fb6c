"""The listed price of a call: the configuration's, else the price book's. Pure but for the book."""

from providers.price import Price
from providers.prices import PriceBook
from router.deployment import Deployment


def listed_price(
    prices: PriceBook, deployment: Deployment, prompt_tokens: int, service_tier: str | None = None
) -> Price | None:
    """The price of a call with so many input tokens; None where neither knows it.

    `service_tier` is a word of requests and answers; the configuration's prices hold for all of them.
    """
    return deployment.price or prices.price(
        deployment.pricing_id, deployment.base_model, prompt_tokens=prompt_tokens, service_tier=service_tier
    )
