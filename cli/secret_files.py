"""Secret files: where X is a secret, the variable X_FILE may name a file that holds it, as container hosts do."""

from collections.abc import Mapping
from pathlib import Path

from cli.failure import CommandError
from providers.catalogue import load_catalogue

SUFFIX = "_FILE"
MAX_BYTES = 64 * 1024
_OWN = ("LANEWAY_MASTER_KEY", "LANEWAY_PEPPER", "LANEWAY_OTHER_PEPPER", "LANEWAY_ENCRYPTION_KEY")


def with_secret_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with X in place of every X_FILE whose X is a secret of ours or of a known provider.

    The white space around a file's content is taken off. Raises CommandError for a file that cannot be read or holds
    nothing, and where both variables are set.
    """
    named = {name for name, path in environ.items() if name.endswith(SUFFIX) and path}
    if not named:
        return dict(environ)
    read = {name.removesuffix(SUFFIX): name for name in named & {f"{secret}{SUFFIX}" for secret in _secrets()}}
    both = sorted(secret for secret in read if environ.get(secret))
    if both:
        raise CommandError(f"{both[0]} and {both[0]}{SUFFIX} are both set: keep one of them")
    kept = {name: value for name, value in environ.items() if name not in read.values()}
    return kept | {secret: _content(name, Path(environ[name])) for secret, name in read.items()}


def _secrets() -> set[str]:
    """The variables that hold a key, or what a credential is made from."""
    rows = load_catalogue().values()
    keys = {variable for row in rows for variable in (*row.key_env, *row.config_key_env)}
    parts = {variable for row in rows for setting in row.settings if setting.secret for variable in setting.env}
    return keys | parts | set(_OWN)


def _content(name: str, path: Path) -> str:
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode().strip()
    except OSError as error:
        raise CommandError(f"{name}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{name}: {path} holds no text") from None
    if not text or len(content) > MAX_BYTES:
        raise CommandError(f"{name}: {path} {'is empty' if not text else 'is too large for a secret'}")
    return text
