/** The index of a partitioned table against the tree as it is now. */
import { type Change, quoteQualified } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import type { Checked, Drift } from './drift.ts';
import { type IndexFacts, indexesOf, resemblesDefinition } from './index-facts.ts';
import { mayIndex } from './index-rights.ts';
import { type MemberState, type PartitionedCreate, treeState } from './partitioned-tree.ts';
import { findRelation, missingColumns } from './relation.ts';
import { shadowingNames } from './safe-names.ts';

type PartitionedDrop = NonNullable<Extract<Change, { kind: 'index.drop' }>['partitions']>;

interface TreeRow {
  oid: number;
  schema: string;
  table: string;
  relkind: string;
}

/** The partitions below a table, whatever their level. */
function partitionsOf(session: TargetSession, oid: number): Promise<TreeRow[]> {
  return session.query<TreeRow>(
    `SELECT c.oid, n.nspname AS schema, c.relname AS table, c.relkind::text AS relkind
     FROM pg_partition_tree($1::oid) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid <> $1::oid ORDER BY c.oid`,
    [oid],
  );
}

/** Refuses a tree with other partitions than the plan's; goes on from one that an earlier apply built in part. */
export async function checkPartitionedCreate(
  session: TargetSession,
  change: PartitionedCreate,
): Promise<Checked> {
  const { index, partitions } = change;
  const table = quoteQualified(index.schema, index.table);
  const top = await findRelation(session, index.schema, index.table);
  if (!top) {
    return {
      drift: [{ code: 'relation_missing', message: `There is no table ${table} any more.` }],
      table_oid: null,
    };
  }
  if (top.relkind !== 'p') {
    return {
      drift: [{ code: 'partitions_changed', message: `${table} is not partitioned any more.` }],
      table_oid: top.oid,
    };
  }
  const now = await partitionsOf(session, top.oid);
  const drift: Drift[] = [
    ...changedTables(table, now, partitions),
    ...mayIndex(top, table),
    ...(await onEach(session, change)),
    ...(await shadowingNames(session, index)),
  ];
  if (drift.length === 0) {
    drift.push(...(await equalToTop(session, change, top.oid)));
    drift.push(...(await takenNames(session, await treeState(session, change))));
  }
  return { drift, table_oid: top.oid, more_oids: now.map(({ oid }) => oid) };
}

function changedTables(
  table: string,
  now: readonly TreeRow[],
  planned: readonly { schema: string; table: string; leaf: boolean }[],
): Drift[] {
  const name = (row: { schema: string; table: string }) => quoteQualified(row.schema, row.table);
  const before = new Set(planned.map((row) => `${name(row)} ${row.leaf}`));
  const after = new Set(now.map((row) => `${name(row)} ${row.relkind !== 'p'}`));
  const came = now.filter((row) => !before.has(`${name(row)} ${row.relkind !== 'p'}`)).map(name);
  const went = planned.filter((row) => !after.has(`${name(row)} ${row.leaf}`)).map(name);
  const foreign = now.filter((row) => row.relkind === 'f').map(name);
  return [
    ...(came.length + went.length > 0
      ? [
          {
            code: 'partitions_changed',
            message: `The partitions of ${table} are not those of the plan: ${[...came.map((one) => `${one} is new`), ...went.map((one) => `${one} is gone`)].join(', ')}.`,
          },
        ]
      : []),
    // Such an index never becomes valid: a foreign table has none to attach (DefineIndex(), indexcmds.c).
    ...foreign.map((one) => ({
      code: 'not_supported_yet',
      message: `${one} is a foreign table, of which no index can be attached.`,
    })),
  ];
}

async function onEach(session: TargetSession, { index, partitions }: PartitionedCreate): Promise<Drift[]> {
  const columns = [...index.keys.flatMap((key) => key.column ?? []), ...index.include];
  const drift: Drift[] = [];
  for (const one of [index, ...partitions]) {
    const name = quoteQualified(one.schema, one.table);
    const relation = await findRelation(session, one.schema, one.table);
    if (!relation) continue;
    if (one !== index) drift.push(...mayIndex(relation, name));
    const gone = await missingColumns(session, relation.oid, columns);
    if (gone.length > 0) {
      drift.push({ code: 'column_missing', message: `${name} has no column ${gone.join(', ')} any more.` });
    }
  }
  return drift;
}

async function equalToTop(
  session: TargetSession,
  { index }: PartitionedCreate,
  oid: number,
): Promise<Drift[]> {
  return (await indexesOf(session, oid))
    .filter(
      (other) => resemblesDefinition(other.form, index) && (other.is_valid || other.name !== index.name),
    )
    .map((other) => ({
      code: 'equivalent_index_exists',
      message: `${quoteQualified(other.schema, other.name)} is the same index already${other.is_valid ? '' : ', not finished: attach what it lacks, or drop it'}.`,
    }));
}

async function takenNames(session: TargetSession, states: readonly MemberState[]): Promise<Drift[]> {
  const drift: Drift[] = [];
  for (const { member, index } of states) {
    const name = quoteQualified(member.schema, member.name);
    // An unfinished one of a leaf is somebody's: ours are dropped when their apply ends.
    if (index && (index.is_valid || !member.leaf)) continue;
    if (!index && !(await findRelation(session, member.schema, member.name))) continue;
    drift.push({
      code: 'name_taken',
      message: `There is a relation ${name} already${index ? ' (an invalid index: the remains of a build)' : ''}.`,
    });
  }
  return drift;
}

/** The indexes attached below a partitioned one against those of the plan. */
export async function changedPartitions(
  session: TargetSession,
  indexOid: number,
  planned: PartitionedDrop,
): Promise<Drift[]> {
  const rows = await session.query<Pick<IndexFacts, 'schema' | 'name' | 'definition'>>(
    `SELECT n.nspname AS schema, c.relname AS name, pg_get_indexdef(c.oid) AS definition
     FROM pg_partition_tree($1::oid) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid <> $1::oid`,
    [indexOid],
  );
  const text = (one: { schema: string; name: string; definition: string }) =>
    `${quoteQualified(one.schema, one.name)}: ${one.definition}`;
  const [now, then] = [new Set(rows.map(text)), new Set(planned.map(text))];
  const other = [...[...now].filter((one) => !then.has(one)), ...[...then].filter((one) => !now.has(one))];
  return other.length === 0
    ? []
    : [
        {
          code: 'partitions_changed',
          message: `The indexes of the partitions are not those of the plan: ${other.join('; ')}.`,
        },
      ];
}
