/** What one analysis covered, and what it did not and why. */
import type { ScoredMetrics } from '../advise/index.ts';
import type {
  AnalysisCoverage,
  Recommendation,
  Report,
  SetAside,
  WhatIf,
  Workload,
} from '../domain/index.ts';

type Summary = Report['summary'];

export interface SummaryInput {
  workload: Workload;
  now: Date;
  recommendations: readonly Recommendation[];
  what_if: WhatIf | null;
  /** Absent: no rule that plans statements ran to its end. */
  coverage: AnalysisCoverage | undefined;
  /** Null: statements of files are of no time. */
  scored: ScoredMetrics | null;
}

export function summarise(input: SummaryInput): Summary {
  const { workload, coverage, what_if } = input;
  const analysed = new Set(coverage?.analysed);
  const timeAnalysed = workload.queries
    .filter((query) => analysed.has(query.query_id))
    .reduce((sum, query) => sum + query.share_of_time, 0);
  const byKind: Record<string, number> = {};
  for (const { kind } of input.recommendations) byKind[kind] = (byKind[kind] ?? 0) + 1;
  return {
    generated_at: input.now.toISOString(),
    statements_seen: workload.queries.length + workload.set_aside.length,
    statements_analysed: analysed.size,
    database_time_ms: workload.database_time_ms,
    analysed_share_of_time: Math.min(1, timeAnalysed),
    not_analysed: notAnalysed(workload, coverage),
    cost_before: coverage?.cost_before ?? null,
    cost_after: coverage?.cost_after ?? null,
    cost_floor: coverage?.cost_floor ?? null,
    cost_floor_is_estimate: coverage?.cost_floor_is_estimate ?? false,
    optimality_gap: coverage ? gapOf(coverage) : null,
    what_if: what_if
      ? {
          engine: what_if.engine,
          server_version: what_if.server_version,
          questions: what_if.questions,
          concluded: coverage?.concluded ?? 0,
        }
      : null,
    recommendations_by_kind: byKind,
    ...(input.scored ? { scorecard: scorecardInShort(input.scored) } : {}),
  };
}

function scorecardInShort({ overall, grades, metrics }: ScoredMetrics): NonNullable<Summary['scorecard']> {
  const wanting = (['critical', 'warning'] as const).flatMap((grade) =>
    metrics.flatMap((metric) => {
      if (metric.grade !== grade || metric.value === null) return [];
      const { id, title, value, unit, provisional } = metric;
      return [{ id, title, value, unit, grade, provisional }];
    }),
  );
  return { overall, grades, wanting };
}

/** The floor is right to the planner's own 1 %, so that a set may come out below it. */
function gapOf({ cost_after, cost_floor }: AnalysisCoverage): number {
  return cost_after > 0 ? Math.max(0, cost_after - cost_floor) / cost_after : 0;
}

/** Codes of statements that are left out, in words. */
const REASONS: Readonly<Record<string, string>> = {
  own_query: 'PgLuthier itself sent them',
  utility: 'they are no queries (DDL, COPY, SET, VACUUM …)',
  catalog_only: 'they read the system catalogs only',
  truncated: 'their text is cut off: raise track_activity_query_size, or complete the file',
  text_hidden: 'this role may not read their text: GRANT pg_read_all_stats',
  text_lost: 'the server lost their text',
  unparsable: 'PostgreSQL’s grammar does not take them',
  several_statements: 'one text holds several statements',
  ambiguous_schema: 'the same text means other tables to other users',
  no_sample: 'no values could be put in the place of their parameters',
  no_table: 'they read no table of this database',
  refused_by_planner: 'the planner refused them',
  unreadable: 'what they use could not be worked out',
  not_simulated: 'no index was looked for in this analysis',
};

function notAnalysed(workload: Workload, coverage: AnalysisCoverage | undefined): Summary['not_analysed'] {
  const found = new Map<string, { statements: number; share_of_time: number }>();
  const add = (code: string, share: number) => {
    const known = found.get(code) ?? { statements: 0, share_of_time: 0 };
    found.set(code, {
      statements: known.statements + 1,
      share_of_time: known.share_of_time + share,
    });
  };
  const shareOf = setAsideShares(workload);
  for (const item of workload.set_aside) add(item.code, shareOf(item));
  const analysed = new Set(coverage?.analysed);
  const codes = new Map(coverage?.not_analysed.map(({ query_id, code }) => [query_id, code]));
  for (const { query_id, share_of_time } of workload.queries) {
    if (!analysed.has(query_id)) add(codes.get(query_id) ?? 'not_simulated', share_of_time);
  }
  return [...found]
    .map(([code, rest]) => ({ code, reason: REASONS[code] ?? code.replaceAll('_', ' '), ...rest }))
    .sort((a, b) => b.share_of_time - a.share_of_time || b.statements - a.statements);
}

/** Of the time, or where nothing was run of the calls. */
function setAsideShares({ source, queries, set_aside, database_time_ms }: Workload) {
  const calls = [...queries, ...set_aside].reduce((sum, one) => sum + one.calls, 0);
  return (item: SetAside): number => {
    if (source === 'files') return calls > 0 ? item.calls / calls : 0;
    return database_time_ms > 0 ? Math.min(1, item.total_exec_time_ms / database_time_ms) : 0;
  };
}
