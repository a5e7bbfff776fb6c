"""A setting of a row: one more thing that must or may be said before a provider can be called, such as a region."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]+$")]
"""The name of an environment variable, as a shell can export it."""


class SettingKind(StrEnum):
    """What a value must look like. Values become parts of addresses, so each kind is narrow."""

    TEXT = "text"
    """One line of printable characters; never a part of an address."""
    LABEL = "label"
    """One label of a host name, e.g. `eu-west-1`."""
    HOST = "host"
    """A host name, or the beginning of one, e.g. `adb-1.azuredatabricks.net`; `https://` before it is taken off."""
    SEGMENT = "segment"
    """One segment of a path or of a query, e.g. a project's id or `2024-10-21`."""
    ADDRESS = "address"
    """An http or https address without user, query and fragment, e.g. `https://name.openai.azure.com`."""


class Setting(BaseModel):
    """One setting. The config gives it under `settings`, the environment by one of its variables."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """What the config and the placeholders call it."""
    env: tuple[Variable, ...] = ()
    """Variables that may hold it; the first set one wins."""
    kind: SettingKind = SettingKind.TEXT
    default: str | None = None
    required: bool = False
    """Whether calls need it even where the config gives another address. Placeholders are needed in any case."""
    secret: bool = False
    """Whether it is what a credential is made from. It is never printed, and a variable's value goes only to the
    vendor's own address."""
    identity: bool = False
    """Whether it says which of the machine's identities signs. An entry that says so means its own address."""
    hosts: dict[str, str] = Field(default_factory=dict)
    """Value -> the host that the placeholder `{host}` stands for; `*` is for all other values."""

    @model_validator(mode="after")
    def _every_value_has_a_host(self) -> "Setting":
        if self.hosts and "*" not in self.hosts:
            raise ValueError("hosts needs an entry for all other values: *")
        return self
