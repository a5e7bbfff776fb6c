"""The verbs of `laneway batch`: their flags. The work is `cli.batch_command`'s."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Config, DataDir, Json, Server, settings_of

KeyFile = Annotated[
    Path | None,
    typer.Option(
        help="Holds the key to ask with.  [default: LANEWAY_API_KEY, LANEWAY_MASTER_KEY, or the data directory's]",
        metavar="FILE",
    ),
]


def batch_verbs() -> typer.Typer:
    """Put the verbs together."""
    verbs = typer.Typer(help="Look at batches before they run.", no_args_is_help=True, rich_markup_mode=None)
    verbs.callback()(_group)  # without it a single verb would take the place of the group
    verbs.command("estimate")(estimate)
    return verbs


def _group() -> None:
    """Look at batches before they run."""


def estimate(
    file: Annotated[Path, typer.Argument(help="The JSONL file of the batch.", metavar="FILE")],
    endpoint: Annotated[str | None, typer.Option(help="What the lines call.  [default: as the first says]")] = None,
    window: Annotated[str, typer.Option(help="How long the batch may take, such as 24h or 2d.")] = "24h",
    config: Config = None,
    data_dir: DataDir = None,
    url: Server = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Say what a batch would cost and take; nothing is run. Exit code 2 where it would be refused."""
    from cli.batch_command import estimate, find_server

    server = find_server(settings_of(config, data_dir), url=url, key_file=key_file)
    raise typer.Exit(estimate(server, file, endpoint, window, as_json=json))
