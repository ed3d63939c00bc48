/**
 * Commits that did not wait for their synchronous standby to the end. A cancel ends only the wait: the commit stands, and the
 * server says so in a warning (SyncRepWaitForLSN() of syncrep.c), of which no text but the function's name is the same in
 * each language. If the primary is lost before the standby has it, the change is lost with it.
 */
import type { ApplyOutcome, Journal, JournalEntry } from '../domain/index.ts';

/** The function that warns. */
export const WAITS_FOR_STANDBY = 'SyncRepWaitForLSN';

/** What the journal has of such a statement. */
export const WAIT_ENDED =
  'Its wait for a synchronous standby was ended: it is committed on this server, and may not have been replicated.';

const SENTENCE =
  'The wait for a synchronous standby was ended: what was committed stands on this server, and may not have been replicated; see that the standby has it before a failover.';

/** The outcome, with those statements of the journal named in it; as it is where there are none. */
export async function withStandbyWaits(journal: Journal, outcome: ApplyOutcome): Promise<ApplyOutcome> {
  const ended = (await journal.entries()).filter(wasEnded).map(({ sql }) => sql);
  if (ended.length === 0) return outcome;
  const facts = { ...outcome.facts, maybe_not_replicated: { statements: ended, message: SENTENCE } };
  return outcome.outcome === 'applied'
    ? { ...outcome, facts }
    : { ...outcome, facts, message: `${outcome.message} ${SENTENCE}` };
}

const wasEnded = ({ message }: JournalEntry) => message?.endsWith(WAIT_ENDED) ?? false;
