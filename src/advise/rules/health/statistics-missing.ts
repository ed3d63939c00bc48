/** Tables that were never analysed: the planner guesses. */
import type { Rule } from '../../../domain/index.ts';

const ID = 'health/statistics-missing';
const MINIMUM_ROWS = 1000;

export const rule: Rule = {
  id: ID,
  area: 'health',
  title: 'A table has no statistics',
  description:
    'Fires for tables with at least 1,000 rows that neither ANALYZE nor autovacuum has ever looked at.',
  evaluate: ({ snapshot }) => ({
    recommendations: snapshot.tables
      .filter(
        (table) =>
          ['r', 'm'].includes(table.relkind) &&
          table.reltuples < 0 &&
          table.n_live_tup >= MINIMUM_ROWS &&
          table.last_analyze === null &&
          table.last_autoanalyze === null,
      )
      .map((table) => ({
        rule: ID,
        change: { kind: 'analyze' as const, schema: table.schema, table: table.name },
        key: `analyze ${table.schema}.${table.name}`,
        title: `Analyse ${table.schema}.${table.name}`,
        rationale: `About ${table.n_live_tup.toLocaleString('en-US')} rows, and no statistics: the planner guesses their number and values.`,
        severity: 'medium' as const,
        evidence_level: 'measured' as const,
        confidence: 0.95,
        estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
        affects: [],
        evidence: [
          {
            name: 'live rows',
            value: table.n_live_tup,
            unit: 'rows',
            source: 'pg_stat_user_tables',
            level: 'measured' as const,
            formula: null,
          },
          {
            name: 'reltuples',
            value: table.reltuples,
            unit: null,
            source: 'pg_class (−1: never analysed)',
            level: 'measured' as const,
            formula: null,
          },
        ],
        risk: {
          locks: 'ShareUpdateExclusive: reads and writes go on.',
          restart: false,
          reload: false,
          notes: [],
        },
      })),
    rejections: [],
    limits: [],
  }),
};
