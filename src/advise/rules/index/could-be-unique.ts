/** Columns that hold each value once and are asked for one row: a unique index would say so, to people and planner. */
import {
  type ColumnRow,
  type Evidence,
  type IndexRow,
  quoteIdentifier,
  quoteQualified,
  type RecommendationDraft,
  type Rule,
  type RuleContext,
  type WorkloadQuery,
} from '../../../domain/index.ts';
import { returnsOneRow } from '../../../workload/index.ts';
import { findingDraft } from '../../health/finding.ts';
import { type AdvisorTable, advisorCatalog } from '../../index-advisor/catalog.ts';
import type { AdvisorStatement } from '../../index-advisor/statement.ts';
import { equalColumns } from '../../repairs/column-groups.ts';
import { couldBeUniqueKey } from '../../repairs/contradictions.ts';
import { workloadStatements } from '../../repairs/workload-statements.ts';
import { measured } from '../../settings/facts.ts';

const ID = 'index/could-be-unique';
const MINIMUM_ROWS = 1000;
/** Fewer calls are chance. */
const MINIMUM_CALLS = 100;
/** Rows that may have changed since the sample was taken. */
const STALE_SHARE = 0.2;
/** ANALYZE samples 300 rows for each unit of the statistics target (std_typanalyze(), analyze.c). */
const SAMPLED_ROWS = 300;

export const rule: Rule = {
  id: ID,
  area: 'index',
  title: 'An index could be unique',
  description:
    'A finding, never a change: fires where ANALYZE saw no value of a column twice (n_distinct −1), in a table of 1,000 rows ' +
    'and more, no unique index on it alone exists, and a statement that ran a hundred times asks by it alone and never got ' +
    'more than one row a call. Whether it is meant to be unique only people know. Quiet where the statistics are old or ' +
    'somebody set n_distinct.',
  evaluate: async (context) => {
    const none = { recommendations: [], rejections: [], limits: [] };
    if (context.workload.source === 'files') return none;
    const catalog = advisorCatalog(context.snapshot);
    const askedFor = new Map<string, { table: AdvisorTable; column: ColumnRow; query: WorkloadQuery }>();
    for (const statement of await workloadStatements(context)) {
      const found = oneColumn(statement, (oid) => catalog.tables.get(oid));
      if (found === null || statement.query.calls < MINIMUM_CALLS) continue;
      if (!isDistinct(found.table, found.column) || !(await returnsOneRow(statement.query))) continue;
      const key = `${found.table.row.oid} ${found.column.attnum}`;
      const known = askedFor.get(key);
      if (!known || known.query.calls < statement.query.calls) {
        askedFor.set(key, { ...found, query: statement.query });
      }
    }
    return {
      ...none,
      recommendations: [...askedFor.values()].map(({ table, column, query }) =>
        draft(table, column, query, context),
      ),
    };
  },
};

/** The one table and the one column by which a statement asks; null: it asks otherwise. */
function oneColumn(
  statement: AdvisorStatement,
  tableOf: (oid: number) => AdvisorTable | undefined,
): { table: AdvisorTable; column: ColumnRow } | null {
  const [usage] = statement.usages;
  const [relation, ...others] = usage?.relations ?? [];
  if (!usage || !relation || others.length > 0 || usage.predicates.length !== 1) return null;
  const [name, ...more] = equalColumns(statement, 0);
  const table = tableOf(relation.table_oid);
  const column = name === undefined || more.length > 0 ? undefined : table?.columns.get(name);
  return table && column ? { table, column } : null;
}

const isOnly = (index: IndexRow, column: ColumnRow) =>
  index.is_valid && index.key_attnums.length === 1 && index.key_attnums[0] === column.attnum;

function isDistinct({ row, indexes }: AdvisorTable, column: ColumnRow): boolean {
  return (
    row.relkind === 'r' &&
    !row.is_partition &&
    row.reltuples >= MINIMUM_ROWS &&
    row.n_mod_since_analyze <= STALE_SHARE * row.reltuples &&
    column.stats?.n_distinct === -1 &&
    column.options?.n_distinct === undefined &&
    !indexes.some((index) => isOnly(index, column) && index.is_unique && index.predicate === null)
  );
}

function draft(
  { row, indexes }: AdvisorTable,
  column: ColumnRow,
  query: WorkloadQuery,
  { snapshot }: RuleContext,
): RecommendationDraft {
  const table = `${row.schema}.${row.name}`;
  const existing = indexes.find((index) => isOnly(index, column) && index.method === 'btree');
  const name = quoteIdentifier(column.name);
  const from = quoteQualified(row.schema, row.name);
  const target =
    column.stattarget !== null && column.stattarget >= 0 ? column.stattarget : defaultTarget(snapshot);
  const sample = target === null ? null : Math.min(row.reltuples, SAMPLED_ROWS * target);
  const evidence: Evidence[] = [
    measured('n_distinct', -1, null, 'pg_stats (−1: each value once)'),
    measured('rows', row.reltuples, 'rows', 'pg_class.reltuples'),
    ...(sample === null
      ? []
      : [measured('rows that ANALYZE looked at, at most', sample, 'rows', '300 × statistics target')]),
    measured('calls', query.calls, 'calls', 'pg_stat_statements'),
    measured('rows a call', query.rows / query.calls, 'rows', 'pg_stat_statements'),
    measured('statement', query.query.replaceAll(/\s+/g, ' ').slice(0, 200), null, 'pg_stat_statements'),
    ...(existing ? [measured('index', existing.definition, null, 'pg_get_indexdef')] : []),
  ];
  const notes = [
    `Look first: SELECT ${name}, count(*) FROM ${from} GROUP BY ${name} HAVING count(*) > 1;`,
    'CREATE UNIQUE INDEX CONCURRENTLY that meets a value twice fails, leaves an invalid index, and may refuse writes meanwhile.',
    ...(existing ? [`Then ${existing.name} can go: the unique one does its work.`] : []),
  ];
  return {
    ...findingDraft({
      rule: ID,
      key: couldBeUniqueKey({ schema: row.schema, table: row.name, column: column.name }),
      title: `${table} (${column.name}) holds each value once: ${existing ? `${existing.name} could be unique` : 'an index on it could be unique'}`,
      rationale: `ANALYZE saw no value of ${column.name} twice, and a statement that asks by it alone got at most one row a call in ${query.calls.toLocaleString('en-US')} calls. Where that is meant, a unique index keeps it so, and the planner then knows that one row comes. Only who knows the application can say so.`,
      severity: 'info',
      evidence,
      restart: false,
      notes,
    }),
    // No sign of a reload: nothing of the server changes.
    risk: {
      locks: 'none: nothing is changed',
      restart: false,
      reload: false,
      notes,
    },
    confidence: 0.5,
  };
}

function defaultTarget({ settings }: RuleContext['snapshot']): number | null {
  const value = Number(settings.find((row) => row.name === 'default_statistics_target')?.setting);
  return Number.isFinite(value) ? value : null;
}
