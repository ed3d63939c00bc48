/** What a plan takes for granted about its target, and whether that still holds. */
import { type Change, type Preconditions, quoteQualified, tableOf } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import type { Drift } from './drift.ts';

/** Times that a table may grow or shrink before a plan made for it counts as made for another. */
const MUCH = 4;
/** Rows below which that says nothing: the plans of small tables do not hang on their sizes. */
const FEW_ROWS = 10_000;

/** Read at approval; the session may be read-only. */
export async function readPreconditions(session: TargetSession, change: Change): Promise<Preconditions> {
  const [clock] = await session.query<{ at: string }>('SELECT clock_timestamp() AS at');
  const table = tableOf(change);
  const [row] =
    table === null
      ? []
      : await session.query<{ oid: number; rows: number | null; bytes: number }>(
          `SELECT c.oid, t.rows, t.bytes
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           CROSS JOIN LATERAL (
             SELECT CASE WHEN bool_or(p.reltuples < 0) THEN NULL ELSE sum(p.reltuples)::float8 END AS rows,
                    sum(pg_relation_size(p.oid))::int8 AS bytes
             FROM (SELECT x.oid, x.reltuples FROM pg_class x WHERE x.oid = c.oid AND c.relkind <> 'p'
                   UNION ALL
                   SELECT x.oid, x.reltuples FROM pg_partition_tree(c.oid) t JOIN pg_class x ON x.oid = t.relid
                   WHERE c.relkind = 'p' AND t.isleaf) AS p
           ) AS t
           WHERE n.nspname = $1 AND c.relname = $2`,
          [table.schema, table.table],
        );
  return {
    read_at: clock?.at ?? '',
    server_version_num: session.server_version_num,
    table: row ? { oid: row.oid, rows: row.rows, bytes: row.bytes ?? 0 } : null,
  };
}

/** In which ways the target is another one than when its change was approved. */
export function preconditionDrift(change: Change, then: Preconditions, now: Preconditions): Drift[] {
  const drift: Drift[] = [];
  const major = (version: number) => Math.floor(version / 10_000);
  if (major(then.server_version_num) !== major(now.server_version_num)) {
    drift.push({
      code: 'version_changed',
      message: `The server was PostgreSQL ${major(then.server_version_num)} when this was approved and is ${major(now.server_version_num)} now.`,
    });
  }
  const table = tableOf(change);
  if (table === null || then.table === null || now.table === null) return drift;
  const name = quoteQualified(table.schema, table.table);
  if (then.table.oid !== now.table.oid) {
    drift.push({
      code: 'relation_replaced',
      message: `${name} is another table than when this was approved (OID ${then.table.oid} then, ${now.table.oid} now).`,
    });
  }
  const [before, after] = [then.table.rows, now.table.rows];
  if (change.kind === 'vacuum' || change.kind === 'analyze' || before === null || after === null)
    return drift;
  if (Math.max(before, after) < FEW_ROWS) return drift;
  if (after > before * MUCH || after * MUCH < before) {
    drift.push({
      code: 'statistics_changed',
      message: `${name} had ${Math.round(before)} rows by its statistics when this was approved and has ${Math.round(after)} now.`,
    });
  }
  return drift;
}

/** Reasons to wait or to grant something; the plan itself is still right. */
const NOT_THE_PLANS: ReadonlySet<string> = new Set([
  'standby',
  'not_owner',
  'missing_privilege',
  'missing_schema_create',
  'concurrent_index_corruption',
  'not_supported_yet',
  'setting_not_allowed',
  'alter_system_not_allowed',
  'reloption_not_allowed',
  'configuration_files_broken',
  'replacement_missing',
  'search_path_unsafe',
]);

/** Does this make the plan another one than what was approved, so that the approval is void? */
export function voidsApproval({ code }: Drift): boolean {
  return !NOT_THE_PLANS.has(code);
}
