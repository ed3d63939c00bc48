/** Answers read from the snapshot, the metrics and the last analysis; what cannot be read there is unknown. */
import type { ScorecardMetric } from '../../domain/index.ts';
import { daysCounted } from '../health/counted.ts';
import { percent } from '../health/words.ts';
import { measured } from '../settings/facts.ts';
import type { Asked } from './questions.ts';
import type { Answer } from './rule-answer.ts';

const ANALYSE = 'Run an analysis: pgluthier analyze, or POST …/analyses.';
/** Of the database time, so that "the queries" were looked at. */
const MOST_OF_TIME = 0.8;

const noAnalysis: Answer = {
  answer: 'unknown',
  because: 'No analysis of this target is known here.',
  evidence: [],
  remedy: ANALYSE,
};

/** Of the rules that advise indexes for reads. */
const INDEX_RULES = new Set(['index/missing', 'index/unindexed-foreign-key', 'index/nearest-vector']);

export function indexesForQueries({ input }: Asked): Answer {
  const { advice } = input;
  if (advice === null) return noAnalysis;
  const open = advice.open.filter(({ rule }) => INDEX_RULES.has(rule));
  const evidence = [
    measured(
      'share of database time analysed',
      advice.analysed_share_of_time,
      'share',
      `analysis of ${advice.analysed_at}`,
    ),
    ...open
      .slice(0, 8)
      .map(({ rule, title }) =>
        measured(rule, title, null, `open recommendation, analysis of ${advice.analysed_at}`),
      ),
  ];
  if (open.length > 0) {
    return {
      answer: 'no',
      because: `${open.length} recommendation(s) of indexes are open: ${open
        .slice(0, 3)
        .map(({ title }) => title)
        .join('; ')}.`,
      evidence,
      remedy: 'Decide on them.',
    };
  }
  if (advice.analysed_share_of_time < MOST_OF_TIME) {
    return {
      answer: 'unknown',
      because: `Only ${percent(advice.analysed_share_of_time)} of the database time was analysed: there may be more to index.`,
      evidence,
      remedy: "The analysis's summary says why statements were left out.",
    };
  }
  return {
    answer: 'yes',
    because: `The analysis of ${advice.analysed_at} left no index to be made.`,
    evidence,
    remedy: null,
  };
}

export function queriesExplained({ input }: Asked): Answer {
  const { advice } = input;
  if (advice === null) return noAnalysis;
  const { analysed_share_of_time: share, analysed_at } = advice;
  const evidence = [
    measured('share of database time analysed', share, 'share', `analysis of ${analysed_at}`),
  ];
  return share >= MOST_OF_TIME
    ? {
        answer: 'yes',
        because: `Statements with ${percent(share)} of the database time were planned.`,
        evidence,
        remedy: null,
      }
    : {
        answer: 'no',
        because: `Statements with only ${percent(share)} of the database time were planned.`,
        evidence,
        remedy: ANALYSE,
      };
}

/** A pooler hides behind plain connections: their number tells nothing of what opened them. */
export function connectionPool({ input }: Asked): Answer {
  const { activity } = input.snapshot;
  const clients = activity.groups.filter(({ backend_type }) => backend_type === 'client backend');
  const sessions = clients.reduce((sum, group) => sum + group.sessions, 0);
  const idle = clients.reduce((sum, group) => sum + (group.state === 'idle' ? group.sessions : 0), 0);
  return {
    answer: 'unknown',
    because: 'From the server a pool, of the application or of a pooler, looks like any other client.',
    evidence:
      activity.groups.length === 0
        ? []
        : [
            measured('connections', sessions, 'sessions', 'pg_stat_activity, this moment'),
            measured('of them idle', idle, 'sessions', 'pg_stat_activity, this moment'),
          ],
    remedy: 'Look at the configuration of the application, or of its pooler.',
  };
}

/** Counters of a shorter time support no yes. */
const ENOUGH_SECONDS = 3600;

/** The answer where what was counted covers less than an hour; null: it covers more. */
export function tooYoung({ input }: Asked): Answer | null {
  const { snapshot, window } = input;
  const age = 86_400 * daysCounted(snapshot, snapshot.counters.database?.stats_reset ?? null);
  const seconds = Math.max(window?.seconds ?? 0, age);
  if (seconds >= ENOUGH_SECONDS) return null;
  return {
    answer: 'unknown',
    because: `Nothing was found, but statistics are too young: they cover ${Math.round(seconds)} s, an hour is wanted.`,
    evidence: [
      measured(
        'age of the statistics',
        seconds,
        's',
        'pg_stat_database.stats_reset, or when the cluster began to count',
      ),
    ],
    remedy: 'Ask again later.',
  };
}

const byMetric = (
  metric: ScorecardMetric,
  answer: (value: number) => boolean,
  words: (value: number) => string,
): Answer =>
  metric.value === null
    ? {
        answer: 'unknown',
        because: metric.note ?? 'It was not seen.',
        evidence: metric.evidence,
        remedy: null,
      }
    : {
        answer: answer(metric.value) ? 'yes' : 'no',
        because: words(metric.value),
        evidence: metric.evidence,
        remedy: null,
      };

/** The guide's own number. */
const CACHE_HITS = 0.7;

export const cacheHitRate = ({ metric }: Asked) =>
  byMetric(
    metric('cache_hit_ratio'),
    (value) => value > CACHE_HITS,
    (value) => `${percent(value)} of the blocks asked for were in shared_buffers.`,
  );

export const connectionsSized = ({ metric, input }: Asked): Answer => {
  const used = metric('connections_used');
  if (used.grade === 'ungraded')
    return {
      answer: 'unknown',
      because: 'This target has no thresholds for connections.',
      evidence: used.evidence,
      remedy: null,
    };
  if (
    !input.window?.concurrency &&
    used.value !== null &&
    used.grade !== 'warning' &&
    used.grade !== 'critical'
  ) {
    return {
      answer: 'unknown',
      because: 'One moment does not show how many connections there are at the busiest time.',
      evidence: used.evidence,
      remedy: 'The service samples each minute: let it watch the target.',
    };
  }
  return byMetric(
    used,
    () => used.grade === 'target' || used.grade === 'acceptable',
    (value) => `${percent(value)} of the connections that there may be were in use at once.`,
  );
};

/** A limit is named by the file that it was read from. */
export function limitsSet({ input }: Asked): Answer {
  const { ram_bytes, cpu_count } = input.snapshot.host;
  const evidence = [
    measured('memory', ram_bytes.value, 'bytes', ram_bytes.source),
    measured('CPUs', cpu_count.value, 'CPUs', cpu_count.source),
  ];
  const sources = [ram_bytes.source, cpu_count.source];
  const limited = sources.filter((source) => /^\/sys\/fs\/cgroup\/|Cpus_allowed_list/.test(source)).length;
  if (limited === 2)
    return { answer: 'yes', because: 'A control group limits both.', evidence, remedy: null };
  if (sources.some((source) => !/^\/(proc|sys)\//.test(source))) {
    return {
      answer: 'unknown',
      because: "The limits of the server's control group were not read.",
      evidence,
      remedy: null,
    };
  }
  return {
    answer: 'no',
    because: `${limited === 0 ? 'Neither' : 'Only one of both'} is limited by a control group: on a host of its own that is as it should be.`,
    evidence,
    remedy: 'Where other things run on the host, give the server a container or a slice with limits.',
  };
}

export function baselineEstablished({ input }: Asked): Answer {
  const { baselines } = input;
  if (baselines === null) {
    return {
      answer: 'unknown',
      because: 'No baseline was given.',
      evidence: [],
      remedy: 'Save one: --save-baseline, or POST …/scorecard/baselines.',
    };
  }
  const evidence = [measured('baselines', baselines.length, 'baselines', 'kept scorecards')];
  return baselines.length > 0
    ? { answer: 'yes', because: `There is ${baselines.join(', ')}.`, evidence, remedy: null }
    : { answer: 'no', because: 'None was saved.', evidence, remedy: 'POST …/scorecard/baselines saves one.' };
}

/** Share of the database time from which a slow statement counts. */
const NOTICEABLE = 0.05;

export function noBottleneck({ input, metric }: Asked): Answer {
  const { thresholds } = metric('statement_mean_ms');
  const { queries } = input.workload;
  if (thresholds === null || queries.length === 0) {
    return {
      answer: 'unknown',
      because:
        queries.length === 0
          ? 'No statements were seen.'
          : 'This target has no threshold for the time of a statement.',
      evidence: [],
      remedy: null,
    };
  }
  const slow = queries.filter(
    ({ mean_exec_time_ms: mean, share_of_time: share }) => mean > thresholds.critical && share >= NOTICEABLE,
  );
  const source = 'pg_stat_statements, mean_exec_time';
  const young =
    slow.length === 0 && input.workload.seconds !== null && input.workload.seconds < ENOUGH_SECONDS;
  if (young) {
    return {
      answer: 'unknown',
      because: `None was slow in ${Math.round(input.workload.seconds ?? 0)} s: too young, an hour is wanted.`,
      evidence: [measured('statements looked at', queries.length, 'statements', source)],
      remedy: 'Ask again later, or take a longer window.',
    };
  }
  return slow.length === 0
    ? {
        answer: 'yes',
        because: `None of the ${queries.length} statements takes more than ${thresholds.critical} ms on average and ${percent(NOTICEABLE)} of the time.`,
        evidence: [measured('statements looked at', queries.length, 'statements', source)],
        remedy: null,
      }
    : {
        answer: 'no',
        because: `${slow.length} statement(s) take more than ${thresholds.critical} ms on average and at least ${percent(NOTICEABLE)} of the time each.`,
        evidence: slow
          .slice(0, 5)
          .map(({ query, mean_exec_time_ms: mean }) => measured(query.slice(0, 200), mean, 'ms', source)),
        remedy: ANALYSE,
      };
}

/** Limits that say that nothing is counted; others only that this role may not look. */
const NOT_COUNTED = new Set([
  'pg_stat_statements_missing',
  'pg_stat_statements_not_loaded',
  'pg_stat_statements_outdated',
]);

export function statementsTracked({ input }: Asked): Answer {
  const { server, statements, limits } = input.snapshot;
  const version = server.extensions.pg_stat_statements ?? 'not created here';
  const evidence = [measured('pg_stat_statements', version, null, 'pg_extension')];
  if (statements.length > 0)
    return { answer: 'yes', because: `${statements.length} rows were read.`, evidence, remedy: null };
  const refused = limits.filter(({ scope }) => scope === 'statements');
  const off = refused.find(({ code }) => NOT_COUNTED.has(code));
  if (off) return { answer: 'no', because: off.message, evidence, remedy: off.remedy };
  const because = refused[0]?.message ?? 'The view answers, and holds no row yet.';
  return { answer: 'unknown', because, evidence, remedy: refused[0]?.remedy ?? null };
}
