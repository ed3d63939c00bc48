/** How long the build of one leaf of a tree takes, as a part of what the whole is estimated to take. */

import { type Change, quoteQualified } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import {
  isPartitioned,
  membersOf,
  missingSteps,
  type PartitionedCreate,
  treeState,
} from './partitioned-tree.ts';

/**
 * Seconds of each leaf's build, by its table's SQL name: the whole estimate × bytes of the leaf / bytes of all leaves, as
 * the server counts them (pg_relation_size). Empty: there is no estimate. Leaves of an empty tree share it evenly.
 * @param wholeSeconds of the recommendation's estimate.
 */
export async function leafSeconds(
  session: TargetSession,
  change: PartitionedCreate,
  wholeSeconds: number | null,
): Promise<Map<string, number>> {
  if (wholeSeconds === null) return new Map();
  const names = membersOf(change).flatMap(({ leaf, schema, table }) =>
    leaf ? [quoteQualified(schema, table)] : [],
  );
  const rows = await session.query<{ name: string; bytes: number }>(
    'SELECT name, coalesce(pg_relation_size(to_regclass(name)), 0)::float8 AS bytes FROM unnest($1::text[]) AS name',
    [names],
  );
  const all = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  return new Map(
    rows.map(({ name, bytes }) => [name, wholeSeconds * (all > 0 ? bytes / all : 1 / rows.length)]),
  );
}

/** An index that is built leaf by leaf: between two of them it may wait. */
export const isBuiltInParts = (change: Change): change is PartitionedCreate =>
  change.kind === 'index.create' && isPartitioned(change);

/** Longest of the builds of leaves that this tree still misses, seconds. Null: not estimated, or none is missing. */
export async function longestLeafBuild(
  session: TargetSession,
  change: PartitionedCreate,
  wholeSeconds: number | null,
): Promise<number | null> {
  const seconds = await leafSeconds(session, change, wholeSeconds);
  const missing = missingSteps(await treeState(session, change)).flatMap(({ how, member }) =>
    how === 'concurrently' ? (seconds.get(quoteQualified(member.schema, member.table)) ?? []) : [],
  );
  return missing.length === 0 ? null : Math.max(...missing);
}
