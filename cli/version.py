"""The version of Laneway that is installed."""

from importlib.metadata import PackageNotFoundError, version


def laneway_version() -> str:
    """Return the installed version; `0+source` for a checkout that was not installed."""
    try:
        return version("laneway")
    except PackageNotFoundError:
        return "0+source"
