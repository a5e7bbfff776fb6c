"""The checker: what must hold in the database, at every commit and at the end of a run (docs/protocol.md, I1 to I7).

`check` reads the tables alone, on either database, in one statement, and returns one line of text per violation. What
the database cannot know (which ids were accepted, which calls a provider saw and what it bills) is handed in.
`History` holds what may never change once it was seen.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import cache

from sqlalchemy import Connection

from store.leases import POISON_CRASHES
from tests.budget_invariants import check_budgets

_ENDED = "('completed', 'failed', 'cancelled', 'expired')"
_ACTIVE = "('queued', 'in_progress')"
_RUN = "('validating', 'failed')"

Attempt = tuple[bytes, int]
"""(job id, n)."""

_ALWAYS: Mapping[str, str] = {
    # I2
    "a completed job has no result":
        "SELECT id FROM job WHERE state = 'completed' AND ephemeral < 4"
        " AND COALESCE(twin_of, id) NOT IN (SELECT job_id FROM result)",
    "a job has a result and is not completed":
        "SELECT job_id FROM result WHERE job_id NOT IN (SELECT id FROM job WHERE state = 'completed')",
    "a result and the one attempt that is `ok` do not belong together":
        "SELECT result.job_id FROM result WHERE (SELECT COUNT(*) FROM attempt WHERE attempt.job_id = result.job_id"
        " AND outcome = 'ok') <> 1 OR NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.job_id = result.job_id"
        " AND attempt.n = result.attempt_n AND outcome = 'ok')",
    "an attempt is `ok` and its job has no result":
        "SELECT job_id FROM attempt JOIN job ON job.id = attempt.job_id WHERE outcome = 'ok' AND ephemeral < 4"
        " AND job_id NOT IN (SELECT job_id FROM result)",
    # the fence and the lease
    "a claim has no attempt row, or an attempt no claim":
        "SELECT id FROM job LEFT JOIN attempt ON attempt.job_id = job.id GROUP BY id, job.attempt"
        " HAVING COUNT(attempt.n) <> job.attempt OR COALESCE(MAX(attempt.n), 0) <> job.attempt",
    "a job is in progress and nothing runs for it, so nobody will ever rescue it":
        "SELECT id FROM job WHERE state = 'in_progress' AND NOT EXISTS (SELECT 1 FROM attempt"
        " WHERE attempt.job_id = job.id AND attempt.n = job.attempt AND outcome = 'started')",
    "a job is queued and a call for it is running":
        "SELECT id FROM job WHERE state = 'queued'"
        " AND id IN (SELECT job_id FROM attempt WHERE outcome = 'started')",
    "two attempts of a job are running":
        "SELECT job_id FROM attempt WHERE outcome = 'started' GROUP BY job_id HAVING COUNT(*) > 1",
    "a job took down more workers than a poison job may":
        f"SELECT id FROM job WHERE crashes > {POISON_CRASHES} OR crashes = {POISON_CRASHES} AND state IN {_ACTIVE}",
    "an attempt was started after its job's deadline":
        "SELECT job_id FROM attempt JOIN job ON job.id = attempt.job_id WHERE attempt.started_at_ms >= deadline_at_ms",
    "an attempt has ended and has no end, or runs and has one":
        "SELECT job_id FROM attempt WHERE (outcome = 'started') <> (ended_at_ms IS NULL)",
    "a job is over and has no end, or is not over and has one":
        f"SELECT id FROM job WHERE (state IN {_ENDED}) <> (finished_at_ms IS NOT NULL)",
    "a job failed without a class":
        "SELECT id FROM job WHERE (state IN ('failed', 'cancelled', 'expired')) <> (error_class IS NOT NULL)",
    "a job that may still run has no payload":
        f"SELECT id FROM job WHERE state IN {_ACTIVE} AND twin_of IS NULL AND id NOT IN (SELECT job_id FROM payload)",
    "a queued line is in a slice that was claimed without it":
        "SELECT job.id FROM job JOIN slice ON slice.id = job.slice_id JOIN batch ON batch.id = job.batch_id"
        " WHERE job.state = 'queued' AND claimed_at_ms < deadline_at_ms AND cancel_requested_at_ms IS NULL"
        " AND batch.closing IS NULL",
    "a slice counts other lines than it holds":
        "SELECT slice.id FROM slice WHERE claimed_at_ms IS NULL"
        " AND jobs <> (SELECT COUNT(*) FROM job WHERE job.slice_id = slice.id)",
    "an ended job still holds a reservation":
        f"SELECT id FROM job WHERE state IN {_ENDED} AND reserved_nanousd <> 0",
    "what is set aside for a job is not what the ledger says":
        "SELECT id FROM job WHERE reserved_nanousd <> (SELECT COALESCE(SUM(CASE kind WHEN 'reserve' THEN amount_nanousd"
        " ELSE -amount_nanousd END), 0) FROM ledger WHERE ledger.job_id = job.id AND ledger.n = 0)",
    # I5
    "an attempt and its ledger line do not agree":
        "SELECT attempt.job_id FROM attempt LEFT JOIN ledger"
        " ON ledger.job_id = attempt.job_id AND ledger.n = attempt.n AND kind = 'settle'"
        " WHERE CASE WHEN outcome = 'started' THEN ledger.job_id IS NOT NULL"
        " WHEN cost_basis = 'none' THEN COALESCE(amount_nanousd, 0) <> 0 OR COALESCE(basis, 'none') <> 'none'"
        " WHEN cost_basis = 'unknown' THEN COALESCE(basis, '') <> 'unknown' OR amount_nanousd IS NOT NULL"
        " ELSE COALESCE(basis, '') <> cost_basis OR COALESCE(amount_nanousd, -1) <> cost_nanousd END",
    "an attempt's cost contradicts what it rests on":
        "SELECT job_id FROM attempt WHERE CASE WHEN cost_basis IN ('reported', 'estimated')"
        " THEN cost_nanousd IS NULL ELSE COALESCE(cost_nanousd, 0) <> 0 END",
    "an attempt of unknown outcome has no unknown cost":
        "SELECT job_id FROM attempt WHERE outcome = 'unknown' AND cost_basis <> 'unknown'",
    "a ledger line has no attempt":
        "SELECT ledger.job_id FROM ledger LEFT JOIN attempt"
        " ON attempt.job_id = ledger.job_id AND attempt.n = ledger.n WHERE kind = 'settle' AND attempt.n IS NULL",
    "a key's spend is not the sum of its ledger":
        "SELECT id FROM key WHERE spent_nanousd <>"
        " (SELECT COALESCE(SUM(amount_nanousd), 0) FROM ledger WHERE ledger.key_id = key.id AND kind = 'settle')",
    "the sums by day are not those of the ledger":
        "SELECT key.id FROM key LEFT JOIN spend ON spend.key_id = key.id GROUP BY key.id, key.spent_nanousd"
        " HAVING COALESCE(SUM(spend.cost_nanousd), 0) <> key.spent_nanousd OR COALESCE(SUM(calls), 0) <>"
        " (SELECT COUNT(*) FROM ledger WHERE ledger.key_id = key.id AND kind = 'settle')"
        " OR COALESCE(SUM(unknown_calls), 0) <> (SELECT COUNT(*) FROM ledger WHERE ledger.key_id = key.id"
        " AND kind = 'settle' AND amount_nanousd IS NULL)",
    "the sums by day have other tokens than the attempts":
        "SELECT key.id FROM key WHERE (SELECT COALESCE(SUM(prompt_tokens + completion_tokens), 0) FROM spend"
        " WHERE spend.key_id = key.id) <> (SELECT COALESCE(SUM(prompt_tokens + completion_tokens), 0) FROM attempt"
        " WHERE attempt.key_id = key.id)",
    "a job's cost is not the sum of its attempts'":
        "SELECT id FROM job WHERE cost_nanousd <>"
        " (SELECT COALESCE(SUM(attempt.cost_nanousd), 0) FROM attempt WHERE attempt.job_id = job.id)",
    # I3
    "a line ended otherwise than the one that was to answer it":
        "SELECT twin.id FROM job AS twin LEFT JOIN job AS leader ON leader.id = twin.twin_of"
        " WHERE twin.state IN ('completed', 'failed') AND twin.twin_of IS NOT NULL AND (leader.id IS NULL"
        " OR twin.state <> leader.state OR COALESCE(twin.error_class, '') <> COALESCE(leader.error_class, '')"
        " OR leader.batch_id <> twin.batch_id OR leader.twin_of IS NOT NULL OR leader.line_no >= twin.line_no)",
    "a line waits for another one that does not know of it":
        "SELECT twin.id FROM job AS twin LEFT JOIN job AS leader ON leader.id = twin.twin_of"
        " WHERE twin.state = 'queued' AND twin.twin_of IS NOT NULL"
        " AND (COALESCE(leader.leads, 0) = 0 OR twin.slice_id <> twin.twin_of)",
    "a line that another one answers was called, or cost something":
        "SELECT id FROM job WHERE twin_of IS NOT NULL"
        " AND (attempt <> 0 OR cost_nanousd <> 0 OR reserved_nanousd <> 0)",
    "a batch counts other answers of another line's call than it has":
        "SELECT batch.id FROM batch LEFT JOIN job ON job.batch_id = batch.id AND twin_of IS NOT NULL"
        " AND state = 'completed' GROUP BY batch.id, coalesced HAVING coalesced <> COUNT(job.id)",
    "a batch counts other lines than it has":
        "SELECT batch.id FROM batch LEFT JOIN job ON job.batch_id = batch.id"
        " GROUP BY batch.id, loaded, completed, failed HAVING loaded <> COUNT(job.id)"
        " OR completed <> COALESCE(SUM(CASE WHEN state = 'completed' THEN 1 ELSE 0 END), 0)"
        " OR failed <> COALESCE(SUM(CASE WHEN state IN ('failed', 'cancelled', 'expired') THEN 1 ELSE 0 END), 0)",
    "a batch counts other failed lines of a class than it has":
        "SELECT batch_id FROM batch_class WHERE failed <> (SELECT COUNT(*) FROM job WHERE"
        " job.batch_id = batch_class.batch_id AND job.error_class = batch_class.error_class)"
        " UNION ALL SELECT id FROM batch WHERE failed <>"
        " (SELECT COALESCE(SUM(batch_class.failed), 0) FROM batch_class WHERE batch_id = batch.id)",
    "a batch counts other failed calls of a class than its lines had":
        "SELECT batch_id FROM (SELECT batch_id, error_class, -retried AS n FROM batch_class UNION ALL"
        " SELECT batch_id, attempt.error_class, 1 FROM attempt JOIN job ON job.id = attempt.job_id"
        " WHERE batch_id IS NOT NULL AND outcome IN ('error', 'unknown') AND attempt.error_class <> 'cancelled'"
        f" AND NOT (state IN {_ENDED} AND n = attempt AND COALESCE(job.error_class, '') = attempt.error_class))"
        " AS each_class GROUP BY batch_id, error_class HAVING SUM(n) <> 0",
    "a batch's lines are not 1, 2, 3 and so on, each with its own custom_id":
        "SELECT batch_id FROM job WHERE batch_id IS NOT NULL GROUP BY batch_id HAVING MIN(line_no) <> 1"
        " OR MAX(line_no) <> COUNT(*) OR COUNT(DISTINCT line_no) <> COUNT(*) OR COUNT(DISTINCT custom_id) <> COUNT(*)",
    "a batch's cost, tokens or unpriced calls are not those of its attempts":
        "SELECT batch.id FROM batch LEFT JOIN job ON job.batch_id = batch.id"
        " LEFT JOIN attempt ON attempt.job_id = job.id GROUP BY batch.id, batch.cost_nanousd, batch.unpriced,"
        " batch.prompt_tokens, batch.completion_tokens HAVING batch.cost_nanousd <>"
        " COALESCE(SUM(attempt.cost_nanousd), 0) OR unpriced <>"
        " COALESCE(SUM(CASE WHEN cost_basis = 'unknown' THEN 1 ELSE 0 END), 0) OR batch.prompt_tokens <>"
        " COALESCE(SUM(attempt.prompt_tokens), 0) OR batch.completion_tokens <>"
        " COALESCE(SUM(attempt.completion_tokens), 0)",
    "a batch has all its lines ended and stays in progress":
        "SELECT id FROM batch WHERE status = 'in_progress' AND loaded = total AND completed + failed >= total",
    "a batch is at its files, or over, before its lines":
        "SELECT id FROM batch WHERE status IN ('finalizing', 'completed', 'expired')"
        " AND (loaded <> total OR completed + failed <> total)",
    "a cancelled batch has lines that did not end":
        f"SELECT batch_id FROM job JOIN batch ON batch.id = job.batch_id WHERE status = 'cancelled'"
        f" AND state IN {_ACTIVE}",
    "a batch that never ran has lines":
        f"SELECT id FROM batch WHERE status IN {_RUN} AND loaded <> 0",
    "a batch is over and its event is missing, or the other way round":
        "SELECT batch.id FROM batch WHERE status IN ('completed', 'expired')"
        " AND (SELECT COUNT(*) FROM event WHERE event.object_id = batch.id AND type <> 'batch.paused') <> 1"
        " UNION ALL SELECT batch.id FROM batch JOIN event ON event.object_id = batch.id"
        " WHERE type <> 'batch.' || status AND type <> 'batch.paused'",
    "a batch was paused and its events are missing, or the other way round":
        "SELECT batch.id FROM batch WHERE pauses <>"
        " (SELECT COUNT(*) FROM event WHERE event.object_id = batch.id AND type = 'batch.paused')",
    "a slice that is claimed, or waits as never handed out, holds a reservation":
        "SELECT id FROM slice WHERE reserved_nanousd <> 0 AND (claimed_at_ms IS NOT NULL OR publish_n = 0)",
    "a batch names a file that is not there":
        "SELECT id FROM batch WHERE output_file_id IS NOT NULL AND output_file_id NOT IN (SELECT id FROM file)"
        " OR error_file_id IS NOT NULL AND error_file_id NOT IN (SELECT id FROM file)",
}  # fmt: skip

_AT_THE_END: Mapping[str, str] = {
    "I1: a job has not ended": f"SELECT id FROM job WHERE state IN {_ACTIVE}",
    "I1: a batch has not ended":
        "SELECT id FROM batch WHERE status NOT IN ('completed', 'failed', 'expired', 'cancelled')",
    "I5: an attempt was never settled": "SELECT job_id FROM attempt WHERE outcome = 'started'",
    "I5: a budget is still reserved":
        "SELECT id FROM key WHERE EXISTS (SELECT 1 FROM budget WHERE reserved_nanousd <> 0)",
}  # fmt: skip


def check(
    connection: Connection,
    *,
    finished: bool = False,
    accepted: Collection[bytes] = (),
    calls: Collection[Attempt] = (),
    bills: Mapping[Attempt, int] | None = None,
    max_attempts: int | None = None,
) -> list[str]:
    """Return the violations, at most a few per rule; an empty list is a green run.

    `finished` adds what holds only once everything was drained. `accepted` are ids of single jobs that must exist,
    `calls` what providers were asked, `bills` what they ask for in nano-dollars for each answer they know of,
    `max_attempts` the most claims that any job may have taken.
    """
    rules = {**_ALWAYS, **(_AT_THE_END if finished else {})}
    if max_attempts is not None:
        rules["I7: a job took too many attempts"] = f"SELECT id FROM job WHERE attempt > {max_attempts:d}"
    found = [f"{rule}: {raw.hex()}" for rule, raw in _violations(connection, rules)] + check_budgets(connection)
    if accepted:
        known = set(connection.exec_driver_sql("SELECT id FROM job").scalars())
        found += [f"I1: an accepted job is gone: {each.hex()}" for each in accepted if each not in known]
    if calls or bills:
        found += _unaccounted(connection, calls, bills or {})
    return found


def _violations(connection: Connection, rules: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Run all rules as one statement; the common run finds nothing, in one round trip."""
    names = list(rules)
    for at, raw in connection.exec_driver_sql(_one_statement(tuple(rules.values()))).fetchmany(20):
        yield names[at], bytes(raw)


@cache
def _one_statement(queries: tuple[str, ...]) -> str:
    return " UNION ALL ".join(
        f"SELECT {at} AS rule, r{at}.* FROM ({query}) AS r{at}" for at, query in enumerate(queries)
    )


def _unaccounted(connection: Connection, calls: Collection[Attempt], bills: Mapping[Attempt, int]) -> Iterator[str]:
    """I4 and the provider's side of I5: every call has its attempt, every bill is reported or owned up to."""
    query = "SELECT job_id, n, outcome, cost_basis, cost_nanousd FROM attempt"
    attempts = {(bytes(row.job_id), row.n): row for row in connection.exec_driver_sql(query)}
    for job_id, n in calls:
        if (job_id, n) not in attempts:
            yield f"I4: a call has no attempt: {job_id.hex()}.{n}"
        elif attempts[job_id, n].outcome == "released":
            yield f"I4: a call was made and its attempt says that none was: {job_id.hex()}.{n}"
    for (job_id, n), bill in bills.items():
        row = attempts.get((job_id, n))
        if row is not None and row.cost_basis == "reported" and row.cost_nanousd != bill:
            yield f"I5: {job_id.hex()}.{n} cost {row.cost_nanousd} and was billed {bill} nano-dollars"
        elif row is None or (row.cost_basis == "none" and bill):
            yield f"I5: a bill of {bill} nano-dollars is unaccounted: {job_id.hex()}.{n}"


class History:
    """What was seen of a run so far: ended jobs and batches, and the answers of jobs, never change."""

    def __init__(self) -> None:
        self._ended: dict[bytes, tuple[object, ...]] = {}

    def observe(self, connection: Connection) -> list[str]:
        """Compare with what was seen before, and remember; returns one line per thing that changed."""
        now = {bytes(row[0]): tuple(row[1:]) for row in connection.exec_driver_sql(_ENDINGS)}
        changed = [
            f"an end was changed: {key.hex()} was {end}, is {now.get(key)}"
            for key, end in self._ended.items()
            if now.get(key) != end
        ]
        self._ended = now
        return changed

    def copy(self) -> "History":
        """A second history that goes on from the same point."""
        other = History()
        other._ended = dict(self._ended)
        return other


_ENDINGS = (
    "SELECT id, state, finished_at_ms, COALESCE(error_class, ''), COALESCE(attempt_n, 0), body FROM job"
    f" LEFT JOIN result ON result.job_id = job.id WHERE state IN {_ENDED}"
    " UNION ALL SELECT id, status, 0, '', 0, NULL FROM batch"
    " WHERE status IN ('completed', 'failed', 'expired', 'cancelled')"
)
