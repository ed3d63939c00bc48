/** Index changes against the catalog as it is now. */
import { type Change, type IndexDefinition, quoteQualified, renderIndexDefinition } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import type { Checked, Drift } from './drift.ts';
import { findIndex, indexesOf, resemblesDefinition } from './index-facts.ts';
import { mayIndex, notOwned } from './index-rights.ts';
import { isPartitioned } from './partitioned-tree.ts';
import { changedPartitions, checkPartitionedCreate } from './preflight-partitioned.ts';
import { findRelation, missingColumns, type Relation } from './relation.ts';
import { shadowingNames } from './safe-names.ts';

export async function checkIndexCreate(
  session: TargetSession,
  change: Extract<Change, { kind: 'index.create' }>,
): Promise<Checked> {
  if (isPartitioned(change)) return checkPartitionedCreate(session, change);
  const { index } = change;
  const table = quoteQualified(index.schema, index.table);
  const relation = await findRelation(session, index.schema, index.table);
  if (!relation) return missing('relation_missing', `There is no table ${table} any more.`);
  const drift = [...indexable(relation, table), ...(await shadowingNames(session, index))];
  const columns = [...index.keys.flatMap((key) => key.column ?? []), ...index.include];
  const gone = await missingColumns(session, relation.oid, columns);
  if (gone.length > 0) {
    drift.push({ code: 'column_missing', message: `${table} has no column ${gone.join(', ')} any more.` });
  }
  const namesake = await findRelation(session, index.schema, index.name);
  if (namesake) {
    const facts = await findIndex(session, index.schema, index.name);
    const state = facts && !facts.is_valid ? ' (an invalid index: the remains of a build)' : '';
    drift.push({
      code: 'name_taken',
      message: `There is a relation ${quoteQualified(index.schema, index.name)} already${state}.`,
    });
  }
  const equivalent = (await indexesOf(session, relation.oid)).find(
    (other) => other.is_valid && other.name !== index.name && resemblesDefinition(other.form, index),
  );
  if (equivalent) {
    drift.push({
      code: 'equivalent_index_exists',
      message: `${quoteQualified(equivalent.schema, equivalent.name)} on ${table} is the same index already.`,
    });
  }
  return { drift, table_oid: relation.oid };
}

export async function checkIndexDrop(
  session: TargetSession,
  change: Extract<Change, { kind: 'index.drop' }>,
): Promise<Checked> {
  const name = quoteQualified(change.schema, change.name);
  const index = await findIndex(session, change.schema, change.name);
  if (!index) return missing('index_missing', `There is no index ${name} any more.`);
  const drift: Drift[] = [];
  if (index.is_attached) {
    drift.push({
      code: 'not_supported_yet',
      message: `${name} is attached to a partitioned table's index and goes only with that one.`,
    });
  }
  if ((index.relkind === 'I') !== (change.partitions !== undefined)) {
    drift.push({
      code: 'partitions_changed',
      message: `${name} is ${index.relkind === 'I' ? 'the index of a partitioned table, and the plan says nothing of its partitions' : 'no index of a partitioned table any more'}.`,
    });
  } else if (change.partitions) {
    drift.push(...(await changedPartitions(session, index.oid, change.partitions)));
  }
  if (index.table !== change.table || index.definition !== change.definition) {
    drift.push({
      code: 'index_changed',
      message: `${name} is not the index that was judged; it is now: ${index.definition}`,
    });
  }
  if (index.is_primary || index.is_exclusion || index.constraints.length > 0) {
    drift.push({
      code: 'index_backs_constraint',
      message: `${name} serves the constraint ${index.constraints.join(', ') || 'of its table'} and cannot go.`,
    });
  }
  if (index.is_replica_identity) {
    drift.push({
      code: 'index_is_replica_identity',
      message: `${name} is its table's replica identity: without it logical replication cannot tell rows.`,
    });
  }
  if (change.replaced_by && !(await isReplaced(session, index.table_oid, change.replaced_by))) {
    const wanted = change.replaced_by.map((definition) => renderIndexDefinition(definition)).join('; ');
    drift.push({
      code: 'replacement_missing',
      message: `${name} may go only once an index that does its work is there and valid; apply first: ${wanted}`,
    });
  }
  const { covered_by: cover } = change;
  if (cover) {
    const found = await findIndex(session, cover.schema, cover.name);
    if (!found?.is_valid || found.table_oid !== index.table_oid || found.definition !== cover.definition) {
      drift.push({
        code: 'cover_missing',
        message: `${name} may go only while ${quoteQualified(cover.schema, cover.name)} does its work, which is ${found ? 'invalid or another index' : 'not there'} now; it was: ${cover.definition}`,
      });
    }
  }
  drift.push(...(await ownership(session, change)));
  return { drift, table_oid: index.table_oid };
}

export async function checkReindex(
  session: TargetSession,
  change: Extract<Change, { kind: 'index.reindex' }>,
): Promise<Checked> {
  const name = quoteQualified(change.schema, change.name);
  const index = await findIndex(session, change.schema, change.name);
  if (!index) return missing('index_missing', `There is no index ${name} any more.`);
  const drift: Drift[] = [];
  if (index.relkind === 'I') {
    drift.push({
      code: 'not_supported_yet',
      message: `${name} is a partitioned index; its partitions' indexes are rebuilt one by one.`,
    });
  }
  // "concurrent index creation for exclusion constraints is not supported" (DefineIndex(), indexcmds.c).
  if (index.is_exclusion) {
    drift.push({
      code: 'not_supported_yet',
      message: `${name} serves an exclusion constraint, which PostgreSQL does not rebuild concurrently.`,
    });
  }
  if (index.table !== change.table || index.definition !== change.definition) {
    drift.push({
      code: 'index_changed',
      message: `${name} is not the index that was judged; it is now: ${index.definition}`,
    });
  }
  if (!index.is_valid) {
    drift.push({
      code: 'index_not_valid',
      message: `${name} is invalid: it is being built, or what an interrupted build left.`,
    });
  }
  drift.push(...(await ownership(session, change)));
  return { drift, table_oid: index.table_oid };
}

async function ownership(
  session: TargetSession,
  { schema, table }: { schema: string; table: string },
): Promise<Drift[]> {
  const relation = await findRelation(session, schema, table);
  return relation && !relation.owned ? [notOwned(quoteQualified(schema, table), relation)] : [];
}

/** Whether one of these is there, whatever its name. */
async function isReplaced(
  session: TargetSession,
  tableOid: number,
  by: readonly IndexDefinition[],
): Promise<boolean> {
  const valid = (await indexesOf(session, tableOid)).filter((other) => other.is_valid);
  return by.some((definition) => valid.some((other) => resemblesDefinition(other.form, definition)));
}

function missing(code: string, message: string): Checked {
  return { drift: [{ code, message }], table_oid: null };
}

function indexable(relation: Relation, table: string): Drift[] {
  if (relation.relkind === 'p') {
    return [
      {
        code: 'partitions_changed',
        message: `${table} is partitioned, and the plan says nothing of its partitions.`,
      },
    ];
  }
  if (!['r', 'm'].includes(relation.relkind)) {
    return [{ code: 'relation_changed', message: `${table} is no table any more.` }];
  }
  return mayIndex(relation, table);
}
