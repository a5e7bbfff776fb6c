"""The page docs/providers.md, written from the catalogue, so that it says what the data says."""

from collections.abc import Iterable

from providers.catalogue import NativeBatch, ProviderRow

_HEAD = """# Providers

Written by `laneway providers docs` from the [catalogue](../providers/catalogue); do not edit it by hand.

{count} providers are known by name. A provider is on as soon as one of its **variables** holds a key, or once an entry
under `providers` in the [configuration](config.md) names it; then `name/model` is served. Variables in parentheses
also belong to others, or are set to other ends, or few attest the address: they are read only for a provider that the
configuration names. A local server is on once `LANEWAY_<NAME>_URL` holds its address, with the path that its calls
begin with. **Settings** are written in the entry or taken from their variables; those in bold are needed. The
**aliases** work wherever the name does. In place of a variable `X`, `X_FILE` may name a file that holds the key.

**Can**: `tools`, `json` (answers held to a JSON Schema), `embed` (embeddings), `batch` (a batch API of its own); a word
that is missing is unknown or not there. **Source**: how the address is attested - A by the vendor's own SDK or
documents, by recorded traffic or by four independent projects, B by two or three, C by one and other public code - and
the month of the last look.
"""
_GROUPS = (
    ("Local servers", lambda row: row.local),
    ("Hosted, in OpenAI's dialect", lambda row: row.dialect == "openai"),
    ("Hosted, in other dialects", lambda row: True),
)
_COLUMNS = "| Name | | Dialect | Variables | Settings | Can | Aliases | Source |\n|---|---|---|---|---|---|---|---|"


def provider_page(rows: Iterable[ProviderRow]) -> str:
    """Write the page."""
    left = sorted(rows, key=lambda row: row.id)
    sections = [_HEAD.format(count=len(left))]
    for title, belongs in _GROUPS:
        group = [row for row in left if belongs(row)]
        left = [row for row in left if not belongs(row)]
        sections.append("\n".join([f"## {title}\n", _COLUMNS, *map(_line, group)]) + "\n")
    return "\n".join(sections)


def _line(row: ProviderRow) -> str:
    name = f"[{row.name}]({row.docs_url})" if row.docs_url else row.name
    notes = f"{name}. {row.notes}" if row.notes else name
    source = f"{row.source}, {row.source_date}"
    cells = (f"`{row.id}`", notes, row.dialect, _variables(row), _settings(row), _can(row), _code(row.aliases), source)
    return f"| {' | '.join(cells)} |"


def _variables(row: ProviderRow) -> str:
    others = [f"(`{variable}`)" for variable in row.config_key_env]
    return ", ".join([_code(row.key_env), *others] if row.key_env else others)


def _settings(row: ProviderRow) -> str:
    needed = {setting.name for setting in row.settings if setting.required} | set(row.needed())
    found = []
    for setting in row.settings:
        name = f"**{setting.name}**" if setting.name in needed and not setting.default else setting.name
        found.append(f"{name} ({_code(setting.env)})" if setting.env else name)
    return ", ".join(found)


def _can(row: ProviderRow) -> str:
    can = row.capabilities
    known = {"tools": can.tools, "json": can.json_schema, "embed": can.embeddings}
    batch = can.native_batch not in (None, NativeBatch.NONE)
    return ", ".join(word for word, able in {**known, "batch": batch}.items() if able)


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
