/** The checklist: the database's part of the guide's, and what a DBA asks besides. */
import type { ChecklistItem, RuleContext, ScorecardMetric, ScorecardMetricId } from '../../domain/index.ts';
import type { ScorecardInput } from './input.ts';
import { type Answer, answerByRules } from './rule-answer.ts';
import * as see from './seen-answers.ts';
import * as settings from './setting-answers.ts';

/** What answers look at. */
export interface Asked {
  input: ScorecardInput;
  context: RuleContext;
  metric(id: ScorecardMetricId): ScorecardMetric;
}

export interface Question {
  id: string;
  section: ChecklistItem['section'];
  from: ChecklistItem['from'];
  question: string;
  answer(asked: Asked): Answer | Promise<Answer>;
}

/** Rules that need neither a planner nor a history. */
const byRules =
  (...names: string[]) =>
  ({ input, context }: Asked) =>
    answerByRules(input.rules, names, context);

/** The same where a yes wants counters that have counted for a while: nothing found in a minute is no habit. */
const byRulesOverTime =
  (...names: string[]) =>
  async (asked: Asked): Promise<Answer> => {
    const answer = await byRules(...names)(asked);
    return answer.answer === 'yes' ? (see.tooYoung(asked) ?? answer) : answer;
  };

const unseen =
  (because: string, remedy: string | null = null) =>
  (): Answer => ({
    answer: 'unknown',
    because,
    evidence: [],
    remedy,
  });

export const questions: readonly Question[] = [
  {
    id: 'indexes_for_queries',
    section: 'database',
    from: 'guide',
    question: 'Are there indexes for what is asked often?',
    answer: see.indexesForQueries,
  },
  {
    id: 'queries_explained',
    section: 'database',
    from: 'guide',
    question: 'Was the performance of the queries analysed by their plans?',
    answer: see.queriesExplained,
  },
  {
    id: 'connection_pool',
    section: 'database',
    from: 'guide',
    question: 'Is there a connection pool?',
    answer: see.connectionPool,
  },
  {
    id: 'configuration_tuned',
    section: 'database',
    from: 'guide',
    question: "Does PostgreSQL's configuration fit host and workload?",
    answer: byRules('settings/'),
  },
  {
    id: 'autovacuum_configured',
    section: 'database',
    from: 'guide',
    question: 'Is autovacuum configured, and does it keep up?',
    answer: byRulesOverTime('autovacuum/', 'health/autovacuum-off', 'health/autovacuum-behind'),
  },
  {
    id: 'statistics_fresh',
    section: 'database',
    from: 'ours',
    question: 'Does the planner have statistics of every table, and are they fresh?',
    answer: byRules('health/statistics-missing', 'health/statistics-stale'),
  },
  {
    id: 'indexes_valid',
    section: 'database',
    from: 'ours',
    question: 'Is every index valid, and none there twice?',
    answer: byRules('index/invalid', 'index/duplicate'),
  },
  {
    id: 'n_plus_one',
    section: 'application',
    from: 'guide',
    question: 'Are N+1 queries eliminated?',
    answer: unseen(
      'Counters cannot tell one statement sent a hundred times by a loop from a hundred sent by a hundred requests.',
      'Trace a request of the application and count its statements.',
    ),
  },
  {
    id: 'cache_hit_rate',
    section: 'caching',
    from: 'guide',
    question: 'Is the cache hit rate above 70 %?',
    answer: see.cacheHitRate,
  },
  {
    id: 'limits_set',
    section: 'resources',
    from: 'guide',
    question: "Are the server's CPU and memory limited?",
    answer: see.limitsSet,
  },
  {
    id: 'connections_sized',
    section: 'resources',
    from: 'guide',
    question: 'Do the pools leave connections free?',
    answer: see.connectionsSized,
  },
  {
    id: 'load_tested',
    section: 'testing',
    from: 'guide',
    question: 'Were load and stress tests run?',
    answer: unseen(
      'A database does not know a test from its users.',
      'Run one, and save a baseline during it.',
    ),
  },
  {
    id: 'baseline_established',
    section: 'testing',
    from: 'guide',
    question: 'Is a performance baseline established?',
    answer: see.baselineEstablished,
  },
  {
    id: 'no_bottleneck',
    section: 'testing',
    from: 'guide',
    question: 'Is no statement a bottleneck?',
    answer: see.noBottleneck,
  },
  {
    id: 'statements_tracked',
    section: 'monitoring',
    from: 'guide',
    question: 'Are statements counted (pg_stat_statements)?',
    answer: see.statementsTracked,
  },
  {
    id: 'slow_statements_logged',
    section: 'monitoring',
    from: 'guide',
    question: 'Are slow statements logged?',
    answer: settings.slowStatementsLogged,
  },
  {
    id: 'waits_logged',
    section: 'monitoring',
    from: 'guide',
    question: 'Are checkpoints and waits for locks logged?',
    answer: settings.settingsOn('log_checkpoints', 'log_lock_waits'),
  },
  {
    id: 'io_timed',
    section: 'monitoring',
    from: 'ours',
    question: 'Is the time of reads and writes measured?',
    answer: settings.settingsOn('track_io_timing'),
  },
  {
    id: 'crash_safe',
    section: 'operations',
    from: 'ours',
    question: 'Does committed data survive a crash?',
    answer: settings.settingsOn('fsync', 'full_page_writes'),
  },
  {
    id: 'wal_kept_elsewhere',
    section: 'operations',
    from: 'ours',
    question: 'Is WAL archived or streamed to another server?',
    answer: settings.walKeptElsewhere,
  },
  {
    id: 'checksums',
    section: 'operations',
    from: 'ours',
    question: 'Are data checksums on?',
    answer: settings.settingsOn('data_checksums'),
  },
  {
    id: 'idle_transactions_end',
    section: 'operations',
    from: 'ours',
    question: 'Does something end sessions that idle in a transaction?',
    answer: settings.idleTransactionsEnd,
  },
  {
    id: 'nothing_pending',
    section: 'operations',
    from: 'ours',
    question: 'Is every setting in force, none waiting for a restart?',
    answer: byRules('health/pending-restart'),
  },
  {
    id: 'wraparound_far',
    section: 'operations',
    from: 'ours',
    question: 'Is wraparound of transaction identifiers far away?',
    answer: byRules('health/xid-wraparound', 'health/mxid-wraparound'),
  },
  {
    id: 'keys_left',
    section: 'operations',
    from: 'ours',
    question: 'Have sequences and keys room left?',
    answer: byRules('health/sequence-exhaustion', 'health/key-exhaustion'),
  },
];
