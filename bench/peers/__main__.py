"""The command line: `python -P -m bench.peers`."""

import argparse
import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.peers.batch_rounds import run_batches
from bench.peers.child import ROOT
from bench.peers.environments import python_of, versions
from bench.peers.laneway import LanewayPeer
from bench.peers.litellm_proxy import Proxy
from bench.peers.page import page, write_page
from bench.peers.peer import Entry, Peer, PeerMissing, Stage
from bench.peers.report import Run, to_json
from bench.peers.roster import LANEWAY, ROSTER
from bench.peers.sync_rounds import run_sync_cases
from bench.stopping import stop_at_sigterm
from providers.simulator.process import SimulatorProcess

LATENCY_MS: Final = 20
ROUNDS: Final = 5
QUICK_ROUNDS: Final = 2
QUICK_DIVISOR: Final = 4
"""A quick run's rounds are so many times shorter."""
PAGE: Final = ROOT / "docs" / "peers.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the page, write it after a full run, and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    known = {each.name for each in ROSTER}
    if unknown := set(options.peer or ()) - known:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    roster = [each for each in ROSTER if each.name in {LANEWAY, *(options.peer or known)}]
    try:
        report = to_json(
            _measure(roster, options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS), options.quick), roster
        )
    except (RuntimeError, OSError) as error:
        print("\n".join([f"bench.peers: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)
        return 1
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(page(report))
    if options.page is not None or not (options.quick or options.peer):
        write_page(report, options.page or PAGE)
    return 0


def _measure(roster: Sequence[Entry], rounds: int, quick: bool) -> Run:
    load_before, started, divisor = os.getloadavg()[0], time.monotonic(), QUICK_DIVISOR if quick else 1
    missing, told = dict[str, str](), dict[str, dict[str, str]]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lw-peers-")))
        simulator = stack.enter_context(SimulatorProcess.start(["--latency-ms", str(LATENCY_MS)]))
        peers = dict[str, Peer]()
        for entry in roster:
            print(f"starting {entry.title}", file=sys.stderr, flush=True)
            try:
                python = python_of(entry.environment)
                peers[entry.name] = stack.enter_context(entry.start(Stage(simulator, folder), python))
                told[entry.name] = versions(python, entry.packages)
            except PeerMissing as reason:
                missing[entry.name] = str(reason)
        calls = {entry.name: entry.calls // divisor for entry in roster}
        batches = run_batches(peers, calls, simulator, rounds)
        simulator.change(latency_ms=0)
        gateways = {
            name: (peer.gateway, peer) for name, peer in peers.items() if isinstance(peer, (LanewayPeer, Proxy))
        }
        cases = run_sync_cases(gateways, simulator, rounds, divisor)
    today, seconds = datetime.date.today().isoformat(), round(time.monotonic() - started)
    return Run(today, seconds, rounds, LATENCY_MS, load_before, told, missing, batches, cases)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench.peers", description="Measure Laneway and its peers on one simulator.")
    parser.add_argument("--quick", action="store_true", help="two short rounds, and the page is only printed")
    parser.add_argument("--rounds", type=int, help=f"turns of every peer ({ROUNDS})")
    parser.add_argument("--peer", action="append", metavar="NAME", help="only this one beside Laneway; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page here (docs/peers.md)")
    return parser


if __name__ == "__main__":
    stop_at_sigterm()
    sys.exit(main())
