"""The stand of a case: simulated providers with limits of their own, and a Laneway before them."""

import json
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

import openai

from bench.laneway_process import Laneway, laneway_up
from bench.laneway_run import write_input
from providers.simulator.process import SimulatorProcess

MODEL: Final = "fast"
"""The public name that all providers of a stand serve."""
MAX_TOKENS: Final = 64
"""What every line allows its answer, which is about half as long."""
_ASK_S: Final = 60
_OVER: Final = ("completed", "failed", "expired", "cancelling", "cancelled")


@dataclass(frozen=True, slots=True)
class Provider:
    """One simulated provider."""

    flags: Sequence[str]
    """Of the simulator's command line."""
    settings: Mapping[str, int] = field(default_factory=dict)
    """What Laneway's configuration says of the deployment: its limits, as far as they are told."""
    counts_tokens: Literal["used", "asked"] = "used"
    """What Laneway's configuration says of the provider's way to count."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """A batch that is under way."""

    client: openai.OpenAI
    batch_id: str
    jobs: int

    def left(self) -> int:
        """Return how many of its lines have not ended."""
        batch = self.client.batches.retrieve(self.batch_id)
        counts = batch.request_counts
        if batch.status in _OVER:
            return 0
        return self.jobs - (counts.completed + counts.failed if counts else 0)

    def completed(self) -> int:
        """Return how many of its lines have their answer."""
        counts = self.client.batches.retrieve(self.batch_id).request_counts
        return counts.completed if counts else 0

    def cancel(self) -> None:
        """Stop it, unless it is over."""
        if self.left():
            self.client.batches.cancel(self.batch_id)


@dataclass(frozen=True, slots=True)
class Stand:
    """What a case works with."""

    laneway: Laneway
    simulators: Mapping[str, SimulatorProcess]
    """By the provider's name."""
    folder: Path

    def make_key(self, name: str) -> str:
        """Make a virtual key and return its secret."""
        request = urllib.request.Request(
            f"{self.laneway.url.removesuffix('/v1')}/admin/keys",
            json.dumps({"name": name}).encode(),
            {"authorization": f"Bearer {self.laneway.key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_ASK_S) as response:
            return cast("str", json.load(response)["secret"])

    @contextmanager
    def backlog(self, jobs: int, key: str | None = None) -> Iterator[Backlog]:
        """Submit a batch; cancel what is left of it at the end."""
        source = self.folder / "input.jsonl"
        write_input(source, jobs, MODEL, max_tokens=MAX_TOKENS)
        with openai.OpenAI(base_url=self.laneway.url, api_key=key or self.laneway.key, timeout=_ASK_S) as client:
            with source.open("rb") as file:
                uploaded = client.files.create(file=file, purpose="batch")
            batch = client.batches.create(
                input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            backlog = Backlog(client, batch.id, jobs)
            yield backlog
            backlog.cancel()

    def limit_stats(self) -> dict[str, dict[str, Any]]:
        """Return what each provider counted of its limits, by name."""
        return {name: simulator.stats()["limits"] for name, simulator in self.simulators.items()}


@contextmanager
def stand(
    providers: Mapping[str, Provider], *, workers: int, models: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Stand]:
    """Start the providers and a Laneway; `models` says which providers serve which name (all of them `fast`)."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lw-bench-")))
        simulators = {
            name: stack.enter_context(SimulatorProcess.start(provider.flags)) for name, provider in providers.items()
        }
        routes = models or {MODEL: tuple(providers)}
        config = {
            "providers": {
                name: {"type": "simulator", "base_url": one.url, "counts_tokens": providers[name].counts_tokens}
                for name, one in simulators.items()
            },
            "models": {
                model: {"deployments": [{"use": f"{name}/sim-small", **providers[name].settings} for name in names]}
                for model, names in routes.items()
            },
        }
        laneway = stack.enter_context(laneway_up(folder, config, workers=workers))
        yield Stand(laneway, simulators, folder)
