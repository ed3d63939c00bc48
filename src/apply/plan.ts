/** From a typed change to the SQL that does it and the SQL that undoes it, frozen under one hash. */
import { createHash } from 'node:crypto';
import {
  type ApplyPlan,
  alterScopeStatement,
  type Change,
  type IndexDefinition,
  type PartitionIndex,
  PgLuthierError,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  reloptionsByTable,
  renderIndexDefinition,
  scopeOf,
  statisticsKinds,
} from '../domain/index.ts';
import { canonicalJson } from './canonical-json.ts';

const RELOAD = 'SELECT pg_reload_conf()';

/**
 * The statements of a change, one an entry, and those that undo it. Nothing for a finding, no rollback for VACUUM,
 * ANALYZE and REINDEX.
 * A setting's rollback writes the value that was in force; the exact earlier state of postgresql.auto.conf (an entry
 * or none) is only known when the change runs, and is then in the outcome's facts.
 * @throws PgLuthierError `index_definition_unreadable` when a drop's definition has not the form of pg_get_indexdef.
 */
export function renderChange(change: Change): { statements: string[]; rollback: string[] } {
  switch (change.kind) {
    case 'index.create':
      if (change.partitions?.length) return renderPartitioned(change.index, change.partitions);
      return {
        statements: [
          change.definition === undefined
            ? renderIndexDefinition(change.index, { concurrently: true })
            : concurrentDefinition(change.index.name, change.definition),
        ],
        rollback: [dropIndexStatement(change.index.schema, change.index.name)],
      };
    case 'index.drop':
      if (change.partitions) return renderPartitionedDrop(change, change.partitions);
      return {
        statements: [dropIndexStatement(change.schema, change.name)],
        rollback: [concurrentDefinition(change.name, change.definition)],
      };
    case 'index.reindex':
      return { statements: [reindexStatement(change.schema, change.name)], rollback: [] };
    case 'setting': {
      const name = change.name.split('.').map(quoteIdentifier).join('.');
      return {
        statements: [
          change.reset
            ? `ALTER SYSTEM RESET ${name}`
            : `ALTER SYSTEM SET ${name} = ${quoteLiteral(change.value)}`,
          RELOAD,
        ],
        rollback: [`ALTER SYSTEM SET ${name} = ${quoteLiteral(change.current_value)}`, RELOAD],
      };
    }
    case 'role.setting':
    case 'database.setting':
    case 'role.database.setting': {
      const scope = scopeOf(change);
      return {
        statements: [alterScopeStatement(scope, change.name, change.reset ? null : change.value)],
        rollback: [alterScopeStatement(scope, change.name, change.previous)],
      };
    }
    case 'table.reloptions':
      return {
        statements: reloptionsByTable(change).flatMap(({ schema, table, wanted }) =>
          reloptionStatements(schema, table, wanted),
        ),
        rollback: reloptionsByTable(change).flatMap(({ schema, table, previous }) =>
          reloptionStatements(schema, table, previous),
        ),
      };
    case 'statistics.create':
      return {
        statements: [createStatisticsStatement(change), analyzeStatement(change.schema, change.table)],
        rollback: [`DROP STATISTICS ${quoteQualified(change.schema, change.name)}`],
      };
    case 'vacuum': {
      // To give the pages at a table's end back it would lock out even readers for a moment, and on standbys cancel them.
      const options = [change.freeze ? 'FREEZE' : null, change.analyze ? 'ANALYZE' : null, 'TRUNCATE false'];
      const list = ` (${options.filter(Boolean).join(', ')})`;
      return { statements: [`VACUUM${list} ${quoteQualified(change.schema, change.table)}`], rollback: [] };
    }
    case 'analyze':
      return { statements: [analyzeStatement(change.schema, change.table)], rollback: [] };
    case 'finding':
      return { statements: [], rollback: [] };
  }
}

/**
 * CONCURRENTLY does not work on a partitioned table: its index is made for itself alone (and is invalid), each leaf's
 * concurrently, and each is attached; with the last one the parent's becomes valid. Of a partitioned index there is no
 * DROP CONCURRENTLY: what undoes it locks the whole tree for a moment.
 */
function renderPartitioned(
  index: IndexDefinition,
  partitions: readonly PartitionIndex[],
): { statements: string[]; rollback: string[] } {
  const of = ({ schema, table, name }: PartitionIndex) => ({ ...index, schema, table, name });
  const inner = partitions.filter(({ leaf }) => !leaf);
  const leaves = partitions.filter(({ leaf }) => leaf);
  return {
    statements: [
      renderIndexDefinition(index, { only: true }),
      ...inner.map((part) => renderIndexDefinition(of(part), { only: true })),
      ...leaves.map((part) => renderIndexDefinition(of(part), { concurrently: true })),
      ...[...leaves, ...inner.toReversed()].map(attachStatement),
    ],
    rollback: [`DROP INDEX ${quoteQualified(index.schema, index.name)}`],
  };
}

/** There is no DROP CONCURRENTLY of it: it goes with all that is attached, under a lock of the whole tree for a moment. */
function renderPartitionedDrop(
  { schema, table, name, definition }: Extract<Change, { kind: 'index.drop' }>,
  partitions: NonNullable<Extract<Change, { kind: 'index.drop' }>['partitions']>,
): { statements: string[]; rollback: string[] } {
  const inner = partitions.filter(({ leaf }) => !leaf);
  const leaves = partitions.filter(({ leaf }) => leaf);
  const again = [{ schema, table, name, definition }, ...inner];
  return {
    statements: [`DROP INDEX ${quoteQualified(schema, name)}`],
    rollback: [
      ...again.map((one) => onlyDefinition(one.name, one.definition)),
      ...leaves.map((one) => concurrentDefinition(one.name, one.definition)),
      ...[...leaves, ...inner.toReversed()].map(attachStatement),
    ],
  };
}

const attachStatement = ({ schema, name, parent_schema, parent_name }: PartitionIndex) =>
  `ALTER INDEX ${quoteQualified(parent_schema, parent_name)} ATTACH PARTITION ${quoteQualified(schema, name)}`;

/** pg_get_indexdef of a partitioned index says `ON ONLY` by itself. */
function onlyDefinition(name: string, definition: string): string {
  const starts = ['CREATE INDEX ', 'CREATE UNIQUE INDEX '].map(
    (start) => `${start}${quoteIdentifier(name)} ON ONLY `,
  );
  if (starts.some((start) => definition.startsWith(start))) return definition;
  throw new PgLuthierError({
    code: 'index_definition_unreadable',
    status: 422,
    message: `The definition kept of index ${name} is not that of a partitioned table's index.`,
    remedy: 'Run an analysis again.',
  });
}

/** The plan of a change: rendered once; its hash is what an approval is bound to. */
export function buildPlan(change: Change): ApplyPlan {
  const { statements, rollback } = renderChange(change);
  return { change, statements, rollback, plan_hash: planHash({ change, statements, rollback }) };
}

/** SHA-256 hex over the canonical JSON of change, statements and rollback. */
export function planHash({ change, statements, rollback }: Omit<ApplyPlan, 'plan_hash'>): string {
  return createHash('sha256').update(canonicalJson({ change, statements, rollback })).digest('hex');
}

export function dropIndexStatement(schema: string, name: string): string {
  return `DROP INDEX CONCURRENTLY ${quoteQualified(schema, name)}`;
}

export function reindexStatement(schema: string, name: string): string {
  return `REINDEX INDEX CONCURRENTLY ${quoteQualified(schema, name)}`;
}

const analyzeStatement = (schema: string, table: string) => `ANALYZE ${quoteQualified(schema, table)}`;

/** Kinds in PostgreSQL's own order: a change that says the same renders the same. */
function createStatisticsStatement(change: Extract<Change, { kind: 'statistics.create' }>): string {
  const kinds = statisticsKinds.filter((kind) => change.kinds.includes(kind));
  return [
    `CREATE STATISTICS ${quoteQualified(change.schema, change.name)} (${kinds.join(', ')})`,
    `ON ${change.columns.map(quoteIdentifier).join(', ')}`,
    `FROM ${quoteQualified(change.schema, change.table)}`,
  ].join(' ');
}

/**
 * pg_get_indexdef writes `CREATE [UNIQUE] INDEX name ON …`; CONCURRENTLY goes behind INDEX. The name must be the one
 * that is dropped, so that nothing else is rebuilt by the rollback.
 */
function concurrentDefinition(name: string, definition: string): string {
  for (const prefix of ['CREATE INDEX ', 'CREATE UNIQUE INDEX ']) {
    const start = `${prefix}${quoteIdentifier(name)} ON `;
    if (definition.startsWith(start) && !definition.startsWith('ONLY ', start.length)) {
      return `${prefix}CONCURRENTLY ${definition.slice(prefix.length)}`;
    }
  }
  throw new PgLuthierError({
    code: 'index_definition_unreadable',
    status: 422,
    message: `The definition kept of index ${name} has not the form that pg_get_indexdef() writes.`,
    remedy: 'Run an analysis again; an index on a partitioned table cannot be dropped concurrently.',
  });
}

/** SET for values, RESET for null; a name with a prefix (`toast.`) has each part quoted for itself. */
export function reloptionStatements(
  schema: string,
  table: string,
  options: Readonly<Record<string, string | null>>,
): string[] {
  const quoteName = (name: string) => name.split('.').map(quoteIdentifier).join('.');
  const set: string[] = [];
  const reset: string[] = [];
  // By name: the store's jsonb gives an object's members back in an order of its own, and the plan's hash must not care.
  for (const [name, value] of Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (value === null) reset.push(quoteName(name));
    else set.push(`${quoteName(name)} = ${reloptionValue(value)}`);
  }
  const alter = `ALTER TABLE ${quoteQualified(schema, table)}`;
  return [
    ...(set.length > 0 ? [`${alter} SET (${set.join(', ')})`] : []),
    ...(reset.length > 0 ? [`${alter} RESET (${reset.join(', ')})`] : []),
  ];
}

function reloptionValue(value: string): string {
  return /^(-?\d+(\.\d+)?|on|off|true|false)$/.test(value) ? value : quoteLiteral(value);
}
