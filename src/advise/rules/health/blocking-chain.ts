/** Sessions that others wait for. */
import type { SessionRow } from '../../../domain/index.ts';
import { type Found, healthRule } from '../../health/check.ts';
import { sessionObject } from '../../health/sessions.ts';
import { elapsed, MINUTE, span } from '../../health/words.ts';
import { measured } from '../../settings/facts.ts';

const LONG_WAIT = MINUTE;
const MANY = 5;

export const rule = healthRule(
  'blocking-chain',
  'Sessions wait for a lock that one holds',
  'Follows pg_blocking_pids() to the session at the root of each chain. Fires where somebody behind it waits for a minute, ' +
    'or five wait; high from ten sessions or ten minutes. A moment, not a habit: log_lock_waits tells of all.',
  ({ snapshot }) => {
    const { sessions } = snapshot.activity;
    const byPid = new Map(sessions.map((session) => [session.pid, session]));
    const behind = new Map<number, SessionRow[]>();
    for (const session of sessions) {
      for (const root of roots(session, byPid)) behind.set(root, [...(behind.get(root) ?? []), session]);
    }
    return {
      found: [...behind].flatMap(([pid, waiting]) => found(byPid.get(pid), pid, waiting, snapshot.taken_at)),
    };
  },
);

/** Who waits for nobody and stands at the end of this session's waits; a cycle (a deadlock) has none. */
function roots(session: SessionRow, byPid: Map<number, SessionRow>): Set<number> {
  const ends = new Set<number>();
  const seen = new Set([session.pid]);
  const next = [...session.blocked_by];
  for (let pid = next.pop(); pid !== undefined; pid = next.pop()) {
    if (seen.has(pid)) continue;
    seen.add(pid);
    const blockers = byPid.get(pid)?.blocked_by ?? [];
    if (blockers.length === 0) ends.add(pid);
    next.push(...blockers);
  }
  return ends;
}

function found(root: SessionRow | undefined, pid: number, waiting: SessionRow[], taken_at: string): Found[] {
  const waits = waiting.map(({ waits_for }) => elapsed(waits_for?.since ?? null, taken_at) ?? 0);
  const longest = Math.max(...waits);
  if (longest < LONG_WAIT && waiting.length < MANY) return [];
  // pg_blocking_pids() gives 0 for a prepared transaction.
  const who = pid === 0 ? 'a prepared transaction' : root ? sessionObject(root) : `pid ${pid}`;
  return [
    {
      object: pid === 0 || root ? who : 'unknown session',
      title: `${waiting.length} session(s) wait for ${who}, the longest for ${span(longest)}`,
      rationale:
        'They wait for a lock that it holds, and whoever comes after queues behind them: also reads, once one of them wants an exclusive lock.',
      severity: waiting.length >= 10 || longest >= 10 * MINUTE ? 'high' : 'medium',
      evidence: [
        measured('waiting', waiting.length, 'sessions', 'pg_blocking_pids()'),
        measured('longest wait', span(longest), null, 'pg_locks.waitstart'),
        measured('state of the one that holds it', root?.state ?? null, null, 'pg_stat_activity'),
        measured('lock', waiting[0]?.waits_for?.mode ?? null, null, 'pg_locks'),
      ],
      remedy:
        pid === 0
          ? ['Find it in pg_prepared_xacts, and commit it or roll it back there.']
          : root?.backend_type === 'autovacuum worker'
            ? [
                'Let it come to its end: one that does not give way by itself runs against wraparound, and comes again at once when it is ended.',
                'If it is too slow: a higher autovacuum_vacuum_cost_limit, which from 16 on a running one follows after a reload.',
              ]
            : [
                `If it may be lost: SELECT pg_terminate_backend(${pid});`,
                'Run schema changes with a short lock_timeout.',
              ],
    },
  ];
}
