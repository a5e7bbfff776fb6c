"""Webhook endpoints: where the events of a job or a batch are to be sent."""

import hashlib
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert

from router.webhook_url import WebhookUrl
from store.ids import new_id
from store.tables import webhook_endpoint


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What a caller asked for, checked."""

    url: WebhookUrl = field(repr=False)
    """Callers put tokens into paths and queries: never to be logged."""
    sealed_secret: str | None = field(default=None, repr=False)
    """See `store.webhook_secret.seal`; None: the key's own secret signs."""


def insert_endpoint(connection: Connection, now_ms: int, key_id: bytes, object_id: bytes, webhook: NewWebhook) -> bytes:
    """Make the endpoint of one job or batch, in the transaction that makes that; returns the endpoint's id."""
    endpoint_id = new_id()
    connection.execute(
        insert(webhook_endpoint).values(
            id=endpoint_id,
            key_id=key_id,
            object_id=object_id,
            url=webhook.url.text,
            receiver=_name(key_id, webhook.url.receiver),
            origin=_name(key_id, webhook.url.origin),
            secret=webhook.sealed_secret,
            created_at_ms=now_ms,
        )
    )
    return endpoint_id


def _name(key_id: bytes, text: str) -> bytes:
    """Name a receiver by 16 bytes. The key is part of it: nobody slows down another's deliveries."""
    return hashlib.sha256(key_id + text.encode()).digest()[:16]
