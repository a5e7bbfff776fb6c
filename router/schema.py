"""The sections of a configuration: every setting, its unit, its default, and what is refused.

The field names of the file stand in `alias` where the unit is part of ours (`timeout` is `timeout_ms` here). A setting
that Laneway does not act on yet is listed in `planned` and refused by name: a limit that is read and not kept would
be worse than none.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from providers.completion import ParamPolicy
from router.decision import RetryPolicy
from router.measures import Count, DurationMs, SizeBytes
from router.provider_schema import NO_LIMITS, PriceConfig, param_policy
from router.section import Section
from router.values import DatabaseUrl, Listen, ModelName, Secret, Use
from router.webhook_url import TargetRules


class DeploymentConfig(Section):
    """One model at one provider, as a target of a public model name."""

    planned: ClassVar[Mapping[str, str]] = {
        "rpm": NO_LIMITS,
        "tpm": NO_LIMITS,
        "rpd": NO_LIMITS,
        "max_parallel_requests": "concurrency is limited per provider in this version (providers.<name>)",
        "weight": "deployments are tried in order in this version, not by weight",
    }
    use: Use
    """`provider/model`: everything after the first slash is the provider's own model name."""
    base_model: ModelName | None = None
    """The model behind a name of the account's own, such as an Azure deployment or a Bedrock profile: what it can take
    and what it costs is looked up under this name."""
    order: Count = 1
    """Deployments with a lower order are tried first; equal ones in the order of the file."""
    price: PriceConfig | None = None

    @property
    def provider(self) -> str:
        return self.use.partition("/")[0]

    @property
    def model(self) -> str:
        return self.use.partition("/")[2]


def _some(deployments: tuple[DeploymentConfig, ...]) -> tuple[DeploymentConfig, ...]:
    if not deployments:
        raise ValueError("should list at least one deployment, such as {use: openai/gpt-5-mini}")
    return deployments


class ModelConfig(Section):
    """A public model name: the deployments that serve it, then the names to fall back to."""

    planned: ClassVar[Mapping[str, str]] = {
        "defaults": "default parameters are not merged into requests in this version",
        "context_window_fallbacks": "fallbacks by error class are not built in this version; use fallbacks",
        "content_policy_fallbacks": "fallbacks by error class are not built in this version; use fallbacks",
    }
    deployments: Annotated[tuple[DeploymentConfig, ...], AfterValidator(_some)]
    fallbacks: tuple[ModelName, ...] = ()
    """Public names of this file, or `provider/model`."""


class RoutingConfig(Section):
    """How long and how often a job is tried."""

    planned: ClassVar[Mapping[str, str]] = {
        "strategy": "deployments are tried in order in this version",
        "breaker": "circuit breakers are not built in this version",
    }
    max_attempts: Count = 5
    """Tries of one job over all providers; waiting out a rate limit is not a try."""
    tries_per_provider: Count = 3
    """Tries at one deployment before moving on; the last deployment is tried until `max_attempts`."""
    retry_on_unknown: Count = 2
    """Calls of one job that may end without our knowing whether they were served and billed; 1 never repeats one."""
    timeout_ms: DurationMs = Field(default=600_000, alias="timeout")
    """Total time of one call, from the first byte sent to the last byte read."""
    retry_delay_ms: DurationMs = Field(default=500, alias="retry_delay")
    """Upper bound of the first wait between tries; it doubles each time."""
    max_retry_delay_ms: DurationMs = Field(default=60_000, alias="max_retry_delay")
    """Where the doubling stops; a provider's own Retry-After is honoured beyond it."""
    strict_params: bool = False
    """Refuse a request field that a deployment does not take, instead of leaving out the harmless ones."""
    drop_params: bool = False
    """Leave out every request field that a deployment does not take, whatever it changes in the answer."""

    @model_validator(mode="after")
    def _one_rule(self) -> "RoutingConfig":
        self.params()
        return self

    def params(self) -> ParamPolicy:
        """What becomes of fields that a deployment does not take, unless its provider says otherwise."""
        return param_policy(self.strict_params, self.drop_params)

    def retry_policy(self) -> RetryPolicy:
        """The same bounds in the words of the decision."""
        return RetryPolicy(
            max_tries=self.max_attempts,
            tries_per_provider=self.tries_per_provider,
            max_unknowns=self.retry_on_unknown,
            base_delay_ms=self.retry_delay_ms,
            max_delay_ms=self.max_retry_delay_ms,
        )


class BatchLimits(Section):
    """How large a batch may be."""

    max_lines: Count = 1_000_000
    max_file_bytes: SizeBytes = 2 * 1024**3
    max_line_bytes: SizeBytes = 32 * 1024**2
    max_open: Count | None = None
    """Unfinished batches of one key; None is without limit."""


class StoreConfig(Section):
    """Where Laneway remembers, and for how long."""

    url: DatabaseUrl | None = None
    """A database URL, secret because it may hold a password; None is SQLite in the data directory."""
    keep_content_ms: DurationMs = Field(default=30 * 86_400_000, alias="keep_content")
    """How long the bodies and files of batches and async jobs are kept after the end."""
    files: Literal["local", "database"] | None = None
    """Where files live; None is local for SQLite and the database for PostgreSQL."""


def _listed(value: object) -> object:
    """Take `5, 5m, 2h`, as a variable of the environment writes a list, for the list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class WebhooksConfig(Section):
    """Where events may be sent, how long a receiver may take, and when a failed delivery is tried again."""

    retry_schedule_ms: Annotated[tuple[DurationMs, ...], BeforeValidator(_listed), Field(max_length=50)] = Field(
        default=tuple(1_000 * seconds for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)),
        alias="retry_schedule_s",
    )
    """The wait after each failure, up to a tenth longer; after the last one the delivery has failed."""
    timeout_ms: DurationMs = Field(default=15_000, alias="timeout")
    """Total time until the receiver's status."""
    allow_private_targets: bool = False
    """Also plain http, private and loopback addresses: whoever holds a key can then reach them."""
    allow_high_ports: bool = False
    """Also ports from 1024 on."""

    def rules(self) -> TargetRules:
        """The rules for a URL."""
        return TargetRules(self.allow_private_targets, self.allow_high_ports)


class ServerConfig(Section):
    """Where the API listens and who is its operator."""

    listen: Listen = "127.0.0.1:8080"
    master_key: Secret | None = None
    """The operator's key; never stored in the database."""

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])
