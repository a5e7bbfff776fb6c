"""Sharing: whose things a key sees beside its own."""

from sqlalchemy import BigInteger, Connection, bindparam, select

from store.compiled import fetch
from store.page import Owners
from store.tables import key, team

_TEAMMATES = (
    select(key.c.id)
    .join(team, team.c.id == key.c.team_id)
    .where(key.c.team_id == bindparam("team"), team.c.shares == bindparam("shares", type_=BigInteger))
    .order_by(key.c.id)
)


def owners_of(connection: Connection, key_id: bytes, team_id: bytes | None) -> Owners:
    """Name the keys whose things a key of this team sees: its own first, then, where the team shares, all others'.

    Revoked and deleted ones too: what they have made stays with the team.
    """
    if team_id is None:
        return (key_id,)
    ids = (row[0] for row in fetch(connection, _TEAMMATES, {"team": team_id, "shares": 1}))
    return (key_id, *(each for each in ids if each != key_id))
