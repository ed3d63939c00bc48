/**
 * The mutex of one apply, and the sign that its session lives: a session-level advisory lock with two keys, both the
 * first four bytes of a SHA-256 as int4: of `pgluthier:apply`, and of the apply's id. PostgreSQL releases it when the
 * backend ends, and after a crash of ours not before: CREATE INDEX CONCURRENTLY runs on to its end without a client,
 * and the lock stays held for that long.
 *
 * It is only ever polled with pg_try_advisory_lock: a session that waits in pg_advisory_lock keeps a snapshot, which
 * a concurrent build waits for, and both wait for ever.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TargetSession } from '../target/index.ts';

const NAMESPACE = int4('pgluthier:apply');
const POLL_MS = 250;

function int4(text: string): number {
  return createHash('sha256').update(text).digest().readInt32BE(0);
}

/** Tries for `patienceMs`; true: held, until this session ends. */
export async function tryApplyLock(
  session: TargetSession,
  applyId: string,
  patienceMs: number,
): Promise<boolean> {
  const attempts = Math.ceil(patienceMs / POLL_MS) + 1;
  for (let attempt = 1; ; attempt += 1) {
    const [row] = await session.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS held', [
      NAMESPACE,
      int4(applyId),
    ]);
    if (row?.held) return true;
    if (attempt >= attempts) return false;
    await sleep(POLL_MS);
  }
}
