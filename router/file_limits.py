"""The limits that the file sets, by whose they are: a provider's, and a deployment's whatever models it serves."""

from collections.abc import Container, Iterator, Mapping

from providers.limit import Limit
from router.config import Config
from router.config_error import ConfigError, dotted
from router.connections import canonical
from router.scope import Scope, deployment_scope, provider_scope

Limits = tuple[Limit, ...]


def file_limits(config: Config, connections: Container[str], known: Mapping[str, str]) -> dict[Scope, Limits]:
    """Collect all limits of the file; a scope without any is left out.

    A deployment may be written in several models. It is one all the same: what one place says counts for all. Raises
    ConfigError where two places say different things.
    """
    found: dict[Scope, tuple[str, Limits]] = {}
    for path, scope, limits in _written(config, connections, known):
        first, earlier = found.setdefault(scope, (path, limits))
        if earlier != limits:
            message = f"these limits of {scope.name} differ from those at {first}"
            raise ConfigError(path, message, "write them in one place, or the same in both")
    return {scope: limits for scope, (_, limits) in found.items()}


def _written(
    config: Config, connections: Container[str], known: Mapping[str, str]
) -> Iterator[tuple[str, Scope, Limits]]:
    """Yield the path, the owner and the limits of every entry of the file that has some."""
    for name, entry in config.providers.items():
        if limits := entry.limits():
            yield dotted(("providers", name)), provider_scope(name), limits
    for name, model in config.models.items():
        for index, item in enumerate(model.deployments):
            if limits := item.limits():
                scope = deployment_scope(canonical(item.provider, connections, known), item.model)
                yield dotted(("models", name, "deployments", index)), scope, limits
