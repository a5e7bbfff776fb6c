"""The deliveries of this process: claims those that are due, sends them, and writes down what each try came to.

A task and a pool of connections of its own; bounds per URL, server and key (`router.delivery_room`) keep slow receivers
from taking the places of the others. Reports are written in groups, whatever collected while the last write ran.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence

from router.config import WebhooksConfig
from router.delivery import RetryLater, SendError, Sent, judge
from router.delivery_room import DeliveryRoom
from store.database import Database, StoreUnavailable
from store.deliveries import Claim, ClaimedDelivery, EndedTry, any_due, claim_due, settle_tries
from store.webhook_endpoints import renew_secret
from store.webhook_secret import key_secret, renewed, unseal
from workers.webhooks.sender import Sender, now_utc
from workers.webhooks.signature import event_body, event_id, signed_headers

_LEASE_MARGIN_MS = 5_000
_RETRY_S = 0.5
_SOON_MS = 60_000
_CONTENDED_S = 0.1
_log = logging.getLogger(__name__)


class Deliveries:
    """Sends the webhooks that this process claims; one per process. Create it inside a running event loop."""

    def __init__(
        self,
        database: Database,
        peppers: Sequence[bytes],
        config: WebhooksConfig,
        *,
        version: str,
        tried: Callable[[Sequence[EndedTry]], None] = lambda _: None,
        sender: Sender | None = None,
    ) -> None:
        """`tried` is told of the tries that have ended, once they are written down."""
        self._database = database
        self._tried = tried
        self._peppers = peppers
        self._config = config
        self._agent = f"Laneway/{version or '0'}"
        self._sender = sender or Sender(config.rules(), config.timeout_ms)
        self._room = DeliveryRoom()
        self._under_way: set[asyncio.Task[None]] = set()
        self._ended: list[EndedTry] = []
        self._wake = asyncio.Event()
        self._report = asyncio.Event()
        self._left = False
        self._stopping = False

    def look(self) -> None:
        """Ask for a look at the deliveries now: an event was committed, or a sweep found something to do."""
        self._wake.set()

    async def run(self) -> None:
        """Claim and send until cancelled: at the start, when asked, and when a failure is due again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claim_on())
            group.create_task(self._report_on())

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True

    async def close(self, grace_ms: int) -> None:
        """Let the posts under way end within the grace and write them down; the rest is sent again by its lease."""
        self.stop()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace_ms / 1000)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        with contextlib.suppress(StoreUnavailable):
            await self._write_reports()
        await self._sender.close()

    async def _claim_on(self) -> None:
        while True:
            try:
                await self._claim()
            except StoreUnavailable as error:
                _log.warning("webhooks wait for the database: %s", error)
            except Exception:
                _log.exception("webhooks could not be claimed; they are looked at again soon")
            await self._wake.wait()
            self._wake.clear()

    async def _claim(self) -> None:
        while not self._stopping and not self._room.is_full and await self._database.read(any_due):
            lease_ms = self._config.timeout_ms + _LEASE_MARGIN_MS
            claim = await self._database.write(claim_due, self._room.copy(), lease_ms)
            self._start(claim)
            if not claim.deliveries:
                if not claim.left:  # another process looks at them now, and may leave some
                    asyncio.get_running_loop().call_later(_CONTENDED_S, self.look)
                return

    def _start(self, claim: Claim) -> None:
        self._left = claim.left
        for delivery in claim.deliveries:
            self._room.enter(delivery.place)
            task = asyncio.create_task(self._send(delivery))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, delivery: ClaimedDelivery) -> None:
        began_s = time.monotonic()
        try:
            sent = await self._post(delivery)
        finally:
            self._room.leave(delivery.place)
            if self._left:
                self.look()
        schedule_ms = self._config.retry_schedule_ms
        verdict = judge(sent, delivery.failures, schedule_ms, jitter=random.random())
        duration_ms = int((time.monotonic() - began_s) * 1000)
        self._ended.append(EndedTry(delivery, sent, duration_ms, verdict))
        self._report.set()

    async def _post(self, delivery: ClaimedDelivery) -> Sent:
        """Sign and post once. The time of the signature is this try's."""
        try:
            secrets = self._secrets(delivery)
        except ValueError:
            _log.error("delivery %s: the stored signing secret cannot be read", delivery.id.hex())
            return Sent(error=SendError.SECRET)
        body = event_body(delivery)
        headers = signed_headers(event_id(delivery), body, secrets=secrets, at=now_utc())
        headers |= {"content-type": "application/json", "user-agent": self._agent}
        await self._keep_readable(delivery)
        return await self._sender.post(delivery.url, body, headers)

    def _secrets(self, delivery: ClaimedDelivery) -> list[str]:
        """What it is signed with: each of them is a signature, and a receiver needs to know one."""
        if delivery.sealed_secret is None:
            return [key_secret(pepper, delivery.place.key_id) for pepper in self._peppers]
        sealed = (delivery.sealed_secret, delivery.old_sealed_secret)
        return [unseal(self._peppers, each) for each in sealed if each is not None]

    async def _keep_readable(self, delivery: ClaimedDelivery) -> None:
        """Store the secret under the pepper in use, where it is under one that will be taken away."""
        stored = delivery.sealed_secret
        again = None if stored is None else renewed(self._peppers, stored)
        if stored is not None and again is not None:
            with contextlib.suppress(StoreUnavailable):
                await self._database.write(renew_secret, delivery.endpoint_id, stored, again)

    async def _report_on(self) -> None:
        while True:
            await self._report.wait()
            self._report.clear()
            try:
                await self._write_reports()
            except StoreUnavailable as error:
                _log.warning("%d webhook tries wait to be written down: %s", len(self._ended), error)
                await asyncio.sleep(_RETRY_S)
                self._report.set()
            except Exception:
                _log.exception("webhook tries could not be written down; they are made again by their leases")
                self._ended.clear()

    async def _write_reports(self) -> None:
        """Write what has ended. On an error it is kept for the next time."""
        group = list(self._ended)
        if not group:
            return
        await self._database.write(settle_tries, group)
        del self._ended[: len(group)]
        self._tried(group)
        for each in group:
            if isinstance(each.verdict, RetryLater) and each.verdict.delay_ms <= _SOON_MS:
                asyncio.get_running_loop().call_later(each.verdict.delay_ms / 1000 + 0.01, self.look)
