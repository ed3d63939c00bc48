/** Many connections of which few work: a pooler's settings. */
import type { Rule } from '../../../domain/index.ts';
import { mostConnections } from '../../settings/bootable.ts';
import { computed, measured, rejected, setting } from '../../settings/facts.ts';
import { pgbouncerText, poolPlan } from '../../settings/pool-size.ts';

const ID = 'settings/pooling';
/** Samples of sessions: an hour at one a minute. */
const ENOUGH_SAMPLES = 60;
/** Fewer sessions are no burden. */
const LEAST_SESSIONS = 50;
const SESSIONS_A_CPU = 8;
/** Of the sessions at once, no more than this share at work. */
const IDLE_ENOUGH = 0.25;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Many connections, few of which work',
  description:
    'A finding with the settings of PgBouncer where the most sessions at once in at least 60 samples are 50 and more (8 a CPU where that ' +
    'is more) and at most a quarter of them work at the 95th percentile. Pool: that percentile × 1.25, within 2 and 4 a CPU; reserve a fifth; ' +
    'clients twice as many as were seen. Each idle session costs memory, and each snapshot looks at all of them (before 14 more so).',
  evaluate: (context) => {
    const { snapshot, window } = context;
    const reject = (code: string, reason: string) =>
      rejected({ rule: ID, candidate: 'connection pooling', code, reason });
    const seen = window?.concurrency;
    const most = mostConnections(context);
    if (!seen || seen.samples < ENOUGH_SAMPLES || most === null) {
      return reject(
        'no_evidence',
        `${seen?.samples ?? 0} samples of sessions: at least ${ENOUGH_SAMPLES} are wanted`,
      );
    }
    const cpus = snapshot.host.cpu_count.value;
    const many = Math.max(LEAST_SESSIONS, SESSIONS_A_CPU * (cpus ?? 0));
    if (most < many)
      return reject('few_connections', `${most} sessions at once at most; ${many} would be many`);
    if (seen.active_p95 > IDLE_ENOUGH * most) {
      return reject(
        'mostly_active',
        `${seen.active_p95} of ${most} sessions work at times (95th percentile): a pooler would make them wait, not vanish; fewer or faster statements would help`,
      );
    }
    const plan = poolPlan(seen, cpus, most);
    const idleInTransaction = seen.idle_in_transaction_p95;
    const limit = setting(context, 'max_connections')?.setting ?? '?';
    return {
      recommendations: [
        {
          rule: ID,
          change: { kind: 'finding' },
          key: 'finding pooling',
          title: `${most} connections for ${seen.active_p95} that work: a pool of ${plan.pool_size} would do`,
          rationale:
            `At most ${most} of ${limit} sessions were there at once, ${seen.active_p95} of them at work (95th percentile of ${seen.samples} samples). ` +
            `A pooler in transaction mode serves the same clients with ${plan.pool_size} to ${plan.pool_size + plan.reserve} connections; then max_connections and with it the worst case of memory can go down. ` +
            'Applications that keep state in sessions (LISTEN, advisory locks of a session, SET, temporary tables, WITH HOLD cursors) would change this advice: for those session mode, or a pool of their own.',
          severity: most > 0.7 * Number(limit) ? 'medium' : 'low',
          evidence_level: 'measured',
          confidence: 0.6,
          estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
          affects: [],
          evidence: [
            measured('most sessions at once', most, 'sessions', `pg_stat_activity, ${seen.samples} samples`),
            measured('sessions at once, 95th percentile', seen.total_p95, 'sessions', 'the same'),
            measured('sessions at work, median', seen.active_p50, 'sessions', 'the same'),
            measured('sessions at work, 95th percentile', seen.active_p95, 'sessions', 'the same'),
            measured('sessions at work, most', seen.active_max, 'sessions', 'the same'),
            measured('idle in a transaction, 95th percentile', idleInTransaction, 'sessions', 'the same'),
            computed('pool', plan.pool_size, 'connections', plan.formula),
            computed('reserve', plan.reserve, 'connections', 'a fifth of the pool'),
            computed(
              'clients',
              plan.max_clients,
              'connections',
              'twice the most that were seen, in hundreds',
            ),
          ],
          risk: {
            locks: 'none',
            restart: false,
            reload: false,
            notes: [
              pgbouncerText(plan, snapshot.server.database),
              `A client waits ${plan.query_wait_timeout} s for a connection at most: without query_wait_timeout it waits two minutes, and nobody notices that the pool is too small (SHOW POOLS: cl_waiting, maxwait).`,
              ...(idleInTransaction > 0
                ? [
                    'Sessions idle in transactions hold a connection of the pool all the while: idle_transaction_timeout ends them; mend those first.',
                  ]
                : []),
              'Samples a minute apart miss short bursts: the most is a lower bound.',
            ],
          },
        },
      ],
      rejections: [],
      limits: [],
    };
  },
};
