"""The verb `laneway spend`: its flags. The work is `cli.spend_command`'s."""

from typing import Annotated

import typer

from cli.batch_verbs import KeyFile
from cli.options import Config, DataDir, Json, Server, settings_of


def spend(
    by: Annotated[
        str, typer.Option(help="Any of day, key, team, tag, model, provider, deployment, batch.", metavar="A,B")
    ] = "day",
    since: Annotated[str | None, typer.Option(help="The first day, as 2026-11-01.  [default: 30 days]")] = None,
    until: Annotated[str | None, typer.Option(help="The last day.  [default: today]")] = None,
    key: Annotated[str | None, typer.Option(help="Only this key, by its id.", metavar="ID")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team, by its id.", metavar="ID")] = None,
    batch: Annotated[str | None, typer.Option(help="Only this batch, by its id.", metavar="ID")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model, as it was asked for.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only this tag.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    url: Server = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Show calls, tokens and money; with the master key everybody's, with another key its own."""
    from cli.batch_command import find_server
    from cli.spend_command import show

    server = find_server(settings_of(config, data_dir), url=url, key_file=key_file)
    asked = {
        "group_by": by, "start": since, "end": until, "key_id": key, "team_id": team, "batch_id": batch,
        "model": model, "provider": provider, "tag": tag,
    }  # fmt: skip
    show(server, asked, as_json=json, as_csv=as_csv)
