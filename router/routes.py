"""The route table: which deployments serve a model name, in which order.

A public name of the configuration has its own deployments first, then those of its fallbacks, then those of their
fallbacks, each deployment once; so names may fall back to each other. A name `provider/model` needs no configuration:
it is served by any provider that is switched on, whatever the model is called.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace

from providers.catalogue import ProviderRow, aliases
from providers.completion import Target
from providers.limit import Limit
from providers.price import Price
from router.config import Config
from router.config_error import ConfigError, dotted
from router.connection import Connection, Rules, connect, switched_on_by
from router.provider_kind import kind_of, or_listed, way_to_switch_on
from router.provider_schema import ProviderConfig
from router.routing import FailoverPolicy, OnLimit, Strategy, Tier
from router.schema import DeploymentConfig, ModelConfig
from router.scope import Scope, deployment_scope
from router.suggestion import did_you_mean, nearest

_MAX_MODEL_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model at one provider."""

    provider: str
    model: str
    base_model: str
    """The model's name in the price book; the same as `model` unless that is a name of the account's own."""
    target: Target
    price: Price | None
    """From the configuration or the provider's catalogue row; None means the price book decides."""
    pricing_id: str | None
    """The provider's id in the price book; None when it is not there, or the address is another server's."""
    max_parallel_requests: int
    """Slots of the whole provider in one process."""
    limits: tuple[Limit, ...] = ()
    """Of this deployment, shared by all processes; those of its provider are `RouteTable.limits`."""
    tier: Tier = Tier.OWN
    """Why it stands in the route."""
    order: int = 1
    """Within its tier, deployments of a lower order are preferred while one of them takes calls."""
    weight: int = 1
    """Its share among those of equal order."""

    @property
    def scope(self) -> Scope:
        """Whose limits it keeps, beside its provider's."""
        return deployment_scope(self.provider, self.model)


@dataclass(frozen=True, slots=True)
class Route:
    """A model name and the deployments that may serve it, the preferred first; never empty, none twice."""

    name: str
    deployments: tuple[Deployment, ...]
    """Jobs remember a place by its index here."""
    strategy: Strategy = Strategy.IN_ORDER
    failover: FailoverPolicy = FailoverPolicy.CHAIN
    on_limit: OnLimit = OnLimit.WAIT


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Every model name that can be served. Built once per configuration; safe to share."""

    routes: Mapping[str, Route]
    connections: Mapping[str, Connection]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of providers -> those that the connections have."""
    asleep: Mapping[str, str] = field(default_factory=dict)
    """Providers that are known and not on, and their aliases -> how to switch them on, a sentence."""

    def resolve(self, name: str) -> Route | None:
        """Find the route of a public name or of `provider/model`; a public name wins. None when nothing serves it."""
        if name in self.routes:
            return self.routes[name]
        provider, _, model = name.partition("/")
        connection = self.connections.get(provider) or self.connections.get(self.aliases.get(provider, ""))
        if connection is None or not model or len(model) > _MAX_MODEL_CHARACTERS or not model.isprintable():
            return None
        return Route(name, (_deployment(connection, model),))

    def nearest(self, name: str, n: int = 3) -> list[str]:
        """Suggest at most `n` servable names that look like `name`."""
        provider, slash, model = name.partition("/")
        prefixes = nearest(provider, self.connections, n) if slash and model else []
        corrected = [f"{prefix}/{model}" for prefix in prefixes]
        deployed = (f"{d.provider}/{d.model}" for route in self.routes.values() for d in route.deployments)
        alike = nearest(name, [*self.routes, *deployed], n)
        return list(dict.fromkeys([*alike, *corrected]))[:n]

    def advice(self, name: str) -> str | None:
        """Say, in a sentence, what switches on the provider that a name means; None where it means none that is off."""
        provider, slash, model = name.partition("/")
        meant = [provider] if provider in self.asleep else nearest(provider, self.asleep, 1)
        if not slash or not model or not meant or (meant != [provider] and self.nearest(name, 1)):
            return None
        return self.asleep[meant[0]]

    def names(self) -> list[str]:
        """The public names, in the order of the file."""
        return list(self.routes)

    def providers(self) -> tuple[str, ...]:
        """The providers that are switched on: those of the file first, then those of the environment."""
        return tuple(self.connections)

    def max_parallel(self, provider: str) -> int:
        """How many calls one process may have in flight to a provider. Raises KeyError for one that is not on."""
        return self.connections[provider].max_parallel_requests


def build_routes(config: Config, catalogue: Mapping[str, ProviderRow], environ: Mapping[str, str]) -> RouteTable:
    """Join the configuration, the catalogue and the keys in the environment. Raises ConfigError.

    A provider that the file names (in `providers`, in `use` or in `fallbacks`) must be usable; one that only the
    environment could switch on is left out when it is not.
    """
    known = aliases(catalogue)
    connections = _connections(config, catalogue, known, environ)
    routes = {name: Route(name, _deployments(name, config, connections, known)) for name in config.models}
    off = [row for row in catalogue.values() if row.id not in connections]
    asleep = {name: way_to_switch_on(row) for row in off for name in (row.id, *row.aliases) if name not in connections}
    return RouteTable(routes, connections, known, asleep)


def _connections(
    config: Config, catalogue: Mapping[str, ProviderRow], known: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, Connection]:
    entries = {name: (entry, dotted(("providers", name))) for name, entry in config.providers.items()}
    for path, named in _named_providers(config):
        provider = _canonical(named, entries, known)
        if provider not in entries and provider not in catalogue:
            raise ConfigError(path, f"there is no provider '{named}'", or_listed(named, catalogue, entries))
        entries.setdefault(provider, (ProviderConfig(), path))
    for provider in sorted(catalogue):
        if variable := switched_on_by(catalogue[provider], environ):
            entries.setdefault(provider, (ProviderConfig(), variable))
    rules = Rules(config.routing.timeout_ms, config.routing.params())
    return {
        name: connect(name, entry, kind_of(name, entry, catalogue), environ=environ, rules=rules, origin=origin)
        for name, (entry, origin) in entries.items()
    }


def _canonical(provider: str, entries: Container[str], known: Mapping[str, str]) -> str:
    """Return the name of a provider that may be called by an alias; an entry of that very name wins."""
    return provider if provider in entries else known.get(provider, provider)


def _named_providers(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the path and the provider of every `use`, and of every fallback that is not a public name."""
    for name, model in config.models.items():
        for index, deployment in enumerate(model.deployments):
            yield dotted(("models", name, "deployments", index, "use")), deployment.provider
        for index, fallback in enumerate(model.fallbacks):
            if fallback not in config.models:
                yield _fallback_provider(dotted(("models", name, "fallbacks", index)), fallback, config)


def _fallback_provider(path: str, fallback: str, config: Config) -> tuple[str, str]:
    provider, _, model = fallback.partition("/")
    if not model:
        message = f"there is no model '{fallback}' in this file"
        raise ConfigError(path, message, did_you_mean(fallback, config.models) or "or write provider/model")
    return path, provider


def _deployments(
    name: str, config: Config, connections: Mapping[str, Connection], known: Mapping[str, str]
) -> tuple[Deployment, ...]:
    """List a model's own deployments, then those of its fallbacks, nearest first, each (provider, model) once."""
    found: dict[tuple[str, str], Deployment] = {}
    for reached in _with_fallbacks(name, config):
        model = config.models.get(reached) or ModelConfig(deployments=(DeploymentConfig(use=reached),))
        for item in sorted(model.deployments, key=lambda deployment: deployment.order):
            provider = _canonical(item.provider, connections, known)
            found.setdefault((provider, item.model), _configured(connections[provider], item))
    return tuple(found.values())


def _with_fallbacks(name: str, config: Config) -> list[str]:
    """List a name and all that it falls back to, breadth first: its own fallbacks before theirs. Loops end."""
    reached = {name: None}
    for current in (waiting := [name]):
        model = config.models.get(current)
        for index, fallback in enumerate(model.fallbacks if model else ()):
            if fallback == current:
                path = dotted(("models", current, "fallbacks", index))
                raise ConfigError(path, "a model cannot fall back to itself", "remove it")
            if fallback not in reached:
                reached[fallback] = None
                waiting.append(fallback)
    return list(reached)


def _configured(connection: Connection, item: DeploymentConfig) -> Deployment:
    found = _deployment(connection, item.model, item.base_model)
    return replace(found, price=item.price.price()) if item.price else found


def _deployment(connection: Connection, model: str, base_model: str | None = None) -> Deployment:
    return Deployment(
        provider=connection.target.provider,
        model=model,
        base_model=base_model or model,
        target=connection.to(model, base_model),
        price=connection.prices.get(model) or connection.prices.get(base_model or model),
        pricing_id=connection.pricing_id,
        max_parallel_requests=connection.max_parallel_requests,
    )
