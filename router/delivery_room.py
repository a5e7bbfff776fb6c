"""The room for deliveries in one process: no receiver, server or key takes the place of the others."""

from collections import Counter
from dataclasses import dataclass, field

PER_RECEIVER = 4
"""At once to one URL (its query aside)."""
PER_ORIGIN = 16
"""At once to one server, of one key."""
PER_KEY = 48
"""At once of one key."""
TOTAL = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a delivery goes: three ids that bounds hang on."""

    receiver: bytes
    origin: bytes
    key_id: bytes


@dataclass(slots=True)
class DeliveryRoom:
    """Counts deliveries under way. A value: the claim works on a copy, the process enters what was claimed."""

    receivers: Counter[bytes] = field(default_factory=Counter)
    origins: Counter[bytes] = field(default_factory=Counter)
    keys: Counter[bytes] = field(default_factory=Counter)
    total: int = 0

    def copy(self) -> "DeliveryRoom":
        """The same counts, apart."""
        return DeliveryRoom(Counter(self.receivers), Counter(self.origins), Counter(self.keys), self.total)

    @property
    def is_full(self) -> bool:
        """Whether nothing more may start, wherever it goes."""
        return self.total >= TOTAL

    @property
    def turns_away(self) -> bool:
        """Whether some receiver, server or key may get no more now."""
        return self.is_full or bool(self.full_receivers() or self.full_origins() or self.full_keys())

    def enter(self, place: Place) -> bool:
        """Count one more; False, and nothing is counted, where one of the bounds is reached."""
        if self.is_full or self.receivers[place.receiver] >= PER_RECEIVER:
            return False
        if self.origins[place.origin] >= PER_ORIGIN or self.keys[place.key_id] >= PER_KEY:
            return False
        self._count(place, 1)
        return True

    def leave(self, place: Place) -> None:
        """Count one less."""
        self._count(place, -1)

    def full_receivers(self) -> list[bytes]:
        """The URLs that may get no more now."""
        return [name for name, count in self.receivers.items() if count >= PER_RECEIVER]

    def full_origins(self) -> list[bytes]:
        """The servers that may get no more now."""
        return [name for name, count in self.origins.items() if count >= PER_ORIGIN]

    def full_keys(self) -> list[bytes]:
        """The keys that may send no more now."""
        return [name for name, count in self.keys.items() if count >= PER_KEY]

    def _count(self, place: Place, by: int) -> None:
        self.total += by
        for counter, name in (
            (self.receivers, place.receiver), (self.origins, place.origin), (self.keys, place.key_id),
        ):  # fmt: skip
            counter[name] += by
            if not counter[name]:
                del counter[name]
