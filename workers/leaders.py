"""Leaders: of the lines of a batch that are alike, which is the first.

The file is read once to learn which requests may occur again, so that only those are remembered afterwards: about 150
bytes for each, 75 MB at most in a million lines.
"""

from collections.abc import Iterable

from router.batch_line import Request
from router.coalescing import Coalesce, digest_of
from router.hashes import Hashes


class Leaders:
    """Learns all lines of one batch, then tells of each, in order, which line leads it."""

    def __init__(self, wish: Coalesce) -> None:
        self._wish = wish
        self._hashes = Hashes()
        self._repeated: set[int] = set()
        self._first: dict[bytes, int] = {}

    def learn(self, requests: Iterable[Request]) -> None:
        """Note some lines of the file."""
        for request in requests:
            digest = digest_of(request, self._wish)
            if digest is not None:
                self._hashes.add(_hash(digest))

    def learned(self) -> None:
        """Find out which requests occur again, once all lines were noted: about a second of a million lines."""
        self._repeated, self._hashes = self._hashes.repeated(), Hashes()

    def leader_of(self, number: int, request: Request) -> int | None:
        """Find the number of the first line that is like this one; None for a first one, and for one that is alone."""
        digest = digest_of(request, self._wish)
        if digest is None or _hash(digest) not in self._repeated:
            return None
        first = self._first.setdefault(digest, number)
        return None if first == number else first


def _hash(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big", signed=True)
