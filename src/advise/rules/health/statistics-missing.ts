/** Tables that were never analysed: the planner guesses. */
import type { RecommendationDraft, Rule, Snapshot, TableRow } from '../../../domain/index.ts';
import { pageNotes } from '../../health/finding.ts';
import { measured } from '../../settings/facts.ts';

const ID = 'health/statistics-missing';
const MINIMUM_ROWS = 1000;

export const rule: Rule = {
  id: ID,
  area: 'health',
  title: 'A table has no statistics',
  description:
    'Fires for tables and materialised views with at least 1,000 rows that neither ANALYZE nor autovacuum has ever ' +
    'looked at, by their own record and by the statistics views. Foreign tables and partitioned parents are left alone.',
  evaluate: ({ snapshot }) => ({
    recommendations: snapshot.tables.filter((table) => neverAnalysed(table, snapshot)).map(analyseDraft),
    rejections: [],
    limits: [],
  }),
};

/**
 * reltuples is −1 until something counts the table; CREATE INDEX counts too, but gathers no statistics. Then the
 * absence of rows in pg_stats tells, where this role sees those of other tables of the same owner.
 */
function neverAnalysed(table: TableRow, snapshot: Snapshot): boolean {
  const untouched =
    ['r', 'm'].includes(table.relkind) &&
    table.n_live_tup >= MINIMUM_ROWS &&
    table.last_analyze === null &&
    table.last_autoanalyze === null;
  if (!untouched) return false;
  const seen = new Set(
    snapshot.columns.filter((column) => column.stats !== null).map((column) => column.table_oid),
  );
  if (seen.has(table.oid)) return false;
  const sameOwner = snapshot.tables.some((other) => other.owner === table.owner && seen.has(other.oid));
  return table.reltuples < 0 || sameOwner;
}

function analyseDraft(table: TableRow): RecommendationDraft {
  const name = `${table.schema}.${table.name}`;
  return {
    rule: ID,
    change: { kind: 'analyze', schema: table.schema, table: table.name },
    key: `analyze ${name}`,
    title: `Analyse ${name}`,
    rationale: `About ${table.n_live_tup.toLocaleString('en-US')} rows and no statistics of their values: the planner guesses. Autovacuum will get to it in the end; a load that is queried at once should not wait for that.`,
    severity: 'medium',
    evidence_level: 'measured',
    confidence: 0.95,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [
      measured('live rows', table.n_live_tup, 'rows', 'pg_stat_user_tables.n_live_tup'),
      measured('last analysed', 'never', null, 'pg_stat_user_tables.last_analyze, last_autoanalyze'),
      measured('reltuples', table.reltuples, null, 'pg_class (−1: never counted)'),
    ],
    risk: {
      locks: 'ShareUpdateExclusive: reads and writes go on.',
      restart: false,
      reload: false,
      notes: ['Plans of statements on this table may change, mostly for the better.', ...pageNotes(ID)],
    },
  };
}
