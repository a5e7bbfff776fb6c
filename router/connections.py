"""The connections: every provider that the file or the environment switches on, by name."""

from collections.abc import Container, Iterator, Mapping

from providers.catalogue import ProviderRow
from router.config import Config
from router.config_error import ConfigError, dotted
from router.connection import Connection, Rules, connect, switched_on_by
from router.provider_kind import kind_of, or_listed
from router.provider_schema import ProviderConfig
from router.suggestion import did_you_mean


def build_connections(
    config: Config, catalogue: Mapping[str, ProviderRow], known: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, Connection]:
    """Connect what the file names, then what the environment switches on. Raises ConfigError.

    `known` holds the catalogue's aliases. The result is in that order, by the names of the entries.
    """
    entries = {name: (entry, dotted(("providers", name))) for name, entry in config.providers.items()}
    for path, named in _named_providers(config):
        provider = canonical(named, entries, known)
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


def canonical(provider: str, entries: Container[str], known: Mapping[str, str]) -> str:
    """Return the name of a provider that may be called by an alias; an entry of that very name wins."""
    return provider if provider in entries else known.get(provider, provider)


def _named_providers(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the path and the provider of every `use`, and of every fallback that is not a public name."""
    for name, model in config.models.items():
        for index, deployment in enumerate(model.deployments):
            yield dotted(("models", name, "deployments", index, "use")), deployment.provider
        for key, fallbacks in model.lists().items():
            for index, fallback in enumerate(fallbacks):
                path = dotted(("models", name, key, index))
                if fallback == name:
                    raise ConfigError(path, "a model cannot fall back to itself", "remove it")
                if fallback not in config.models:
                    yield path, _provider_of(path, fallback, config)


def _provider_of(path: str, fallback: str, config: Config) -> str:
    provider, _, model = fallback.partition("/")
    if not model:
        message = f"there is no model '{fallback}' in this file"
        raise ConfigError(path, message, did_you_mean(fallback, config.models) or "or write provider/model")
    return provider
