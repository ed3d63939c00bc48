/** Metrics out of the database's and the server's counters. */
import { computed, measured } from '../settings/facts.ts';
import { type MetricsInput, spanOf } from './input.ts';
import type { Observation, Unseen } from './metric.ts';

const ENOUGH_BLOCKS = 1000;
const ENOUGH_TRANSACTIONS = 100;
const ENOUGH_CHECKPOINTS = 5;
/** Deadlocks of minutes say nothing of a day. */
const ENOUGH_SECONDS = 3600;

const GRANT = 'GRANT pg_read_all_stats (or pg_monitor) to the role, and see the limits of the snapshot.';

const notCollected = (view: string): Unseen => ({
  code: 'not_collected',
  message: `${view} was not read.`,
  remedy: GRANT,
});

const tooFew = (what: string, seen: number, wanted: number): Unseen => ({
  code: 'too_few_observations',
  message: `${seen} ${what} were counted; ${wanted} are wanted before it says anything.`,
  remedy: 'Take a longer window.',
});

const unknownSince = (): Unseen => ({
  code: 'counting_since_unknown',
  message: 'since when the counters count is not noted (stats_reset is null), so that no rate can be told.',
  remedy: 'Watch it for a while: --window 300, or two snapshots.',
});

/** Counters of pg_stat_database with what they cover. */
function databaseOf(input: MetricsInput) {
  const total = input.snapshot.counters.database;
  if (total === null) return null;
  const counted = input.window ? (input.window.counters?.database ?? null) : total;
  return counted && { counted, span: spanOf(input, total.stats_reset) };
}

export function cacheHits(input: MetricsInput): Observation {
  const database = databaseOf(input);
  if (database === null) return notCollected('pg_stat_database');
  const { counted, span } = database;
  const blocks = counted.blks_hit + counted.blks_read;
  if (blocks < ENOUGH_BLOCKS) return tooFew('blocks', blocks, ENOUGH_BLOCKS);
  return {
    value: counted.blks_hit / blocks,
    span,
    evidence: [
      measured('blocks hit', counted.blks_hit, 'blocks', `pg_stat_database.blks_hit, ${span.words}`),
      measured('blocks read', counted.blks_read, 'blocks', `pg_stat_database.blks_read, ${span.words}`),
      computed('hit ratio', counted.blks_hit / blocks, 'share', 'blks_hit ÷ (blks_hit + blks_read)'),
      ...clientReads(input),
    ],
    note: "What the kernel's cache serves counts as read: the disk may have been asked for less.",
  };
}

/** 16+: the same of client backends of the whole server. Reads are of more than one block since 17: bytes are counted. */
function clientReads({ snapshot, window }: MetricsInput) {
  const rows = window ? window.counters?.io : snapshot.counters.io;
  const clients = (rows ?? []).filter(
    ({ backend_type, object }) => backend_type === 'client backend' && object === 'relation',
  );
  const hits = clients.reduce((sum, row) => sum + (row.hits ?? 0), 0);
  const reads = clients.reduce((sum, row) => sum + (row.read_bytes ?? 0), 0) / snapshot.server.block_size;
  if (hits + reads === 0) return [];
  return [
    computed(
      'hit ratio of client backends, all databases',
      hits / (hits + reads),
      'share',
      'pg_stat_io: hits ÷ (hits + read_bytes ÷ block_size)',
    ),
  ];
}

export function rollbacks(input: MetricsInput): Observation {
  const database = databaseOf(input);
  if (database === null) return notCollected('pg_stat_database');
  const { counted, span } = database;
  const transactions = counted.xact_commit + counted.xact_rollback;
  if (transactions < ENOUGH_TRANSACTIONS) return tooFew('transactions', transactions, ENOUGH_TRANSACTIONS);
  return {
    value: counted.xact_rollback / transactions,
    span,
    evidence: [
      measured(
        'rolled back',
        counted.xact_rollback,
        'transactions',
        `pg_stat_database.xact_rollback, ${span.words}`,
      ),
      measured(
        'committed',
        counted.xact_commit,
        'transactions',
        `pg_stat_database.xact_commit, ${span.words}`,
      ),
      computed(
        'share',
        counted.xact_rollback / transactions,
        'share',
        'xact_rollback ÷ (xact_commit + xact_rollback)',
      ),
    ],
    note: 'A rollback is an error, or an application that ends its transactions so on purpose.',
  };
}

export function deadlocks(input: MetricsInput): Observation {
  const database = databaseOf(input);
  if (database === null) return notCollected('pg_stat_database');
  const { counted, span } = database;
  const seen = measured(
    'deadlocks',
    counted.deadlocks,
    'deadlocks',
    `pg_stat_database.deadlocks, ${span.words}`,
  );
  // None at all is none a day, whatever it covers.
  if (span.seconds === null && counted.deadlocks === 0) return { value: 0, span, evidence: [seen] };
  if (span.seconds === null) return { ...unknownSince(), evidence: [seen] };
  if (span.seconds < ENOUGH_SECONDS) {
    return {
      code: 'statistics_too_young',
      message: `the counters cover ${Math.round(span.seconds)} s; an hour is wanted before a day is told from it.`,
      remedy: 'Take a longer window.',
      evidence: [seen],
    };
  }
  const value = (86_400 * counted.deadlocks) / span.seconds;
  return {
    value,
    span,
    evidence: [seen, computed('a day', value, '1/day', '86400 × deadlocks ÷ seconds covered')],
  };
}

export function throughput(input: MetricsInput): Observation {
  const database = databaseOf(input);
  if (database === null) return notCollected('pg_stat_database');
  const { counted, span } = database;
  if (span.seconds === null) return unknownSince();
  if (span.seconds <= 0)
    return { code: 'statistics_too_young', message: 'the counters were reset just now.', remedy: 'Wait.' };
  const transactions = counted.xact_commit + counted.xact_rollback;
  const value = transactions / span.seconds;
  const calls = input.workload.queries.reduce((sum, query) => sum + (query.nested ? 0 : query.calls), 0);
  const { seconds } = input.workload;
  return {
    value,
    span,
    evidence: [
      measured('transactions', transactions, 'transactions', `pg_stat_database, ${span.words}`),
      computed('a second', value, '1/s', '(xact_commit + xact_rollback) ÷ seconds covered'),
      ...(seconds !== null && seconds > 0
        ? [
            computed(
              'statements a second',
              calls / seconds,
              '1/s',
              'Σ pg_stat_statements.calls ÷ seconds covered',
            ),
          ]
        : []),
    ],
    note: 'Our own transactions and those of other monitoring are among them.',
  };
}

/** pg_stat_checkpointer on 17 and newer, pg_stat_bgwriter before. */
export function requestedCheckpoints(input: MetricsInput): Observation {
  const { snapshot, window } = input;
  const total = snapshot.counters.checkpoints;
  const view = snapshot.server.server_version_num >= 170_000 ? 'pg_stat_checkpointer' : 'pg_stat_bgwriter';
  const counted = window ? window.counters?.checkpoints : total;
  if (total === null || !counted) return notCollected(view);
  if (snapshot.server.in_recovery) {
    return {
      code: 'not_on_standby',
      message: 'a standby makes restart points when its primary has made checkpoints.',
      remedy: 'See the scorecard of the primary.',
    };
  }
  const { timed, requested } = counted;
  const all = timed + requested;
  if (all < ENOUGH_CHECKPOINTS) return tooFew('checkpoints', all, ENOUGH_CHECKPOINTS);
  const span = spanOf(input, total.stats_reset);
  return {
    value: requested / all,
    span,
    evidence: [
      measured('requested', requested, 'checkpoints', `${view}, ${span.words}`),
      measured('timed', timed, 'checkpoints', `${view}, ${span.words}`),
      computed('share', requested / all, 'share', 'requested ÷ (timed + requested)'),
    ],
    note: 'By max_wal_size, CHECKPOINT, base backups and shutdowns alike; 18 counts those that had nothing to do, too.',
  };
}
