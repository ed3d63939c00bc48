/**
 * How full B-trees are, by pgstatindex() of the extension pgstattuple. It reads every page of an index, through a small
 * ring of buffers (BAS_BULKREAD), under AccessShareLock and with a snapshot: so only of indexes that are named, only when
 * somebody asked for it, each in a statement of its own, and no more bytes than allowed.
 */
import { z } from 'zod';
import type { BtreeDensity, Limit } from '../domain/index.ts';
import { quoteIdentifier } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';

/** A snapshot that is held longer would hold back vacuum noticeably. ms. */
export const MEASURE_TIMEOUT_MS = 120_000;

export interface MeasureTarget {
  oid: number;
  schema: string;
  name: string;
  size_bytes: number;
}

const rowSchema = z.object({
  index_bytes: z.number(),
  leaf_pages: z.number(),
  internal_pages: z.number(),
  empty_pages: z.number(),
  deleted_pages: z.number(),
  avg_leaf_density: z.number(),
});

const SCOPE = 'btree-density';

/**
 * Measures in the order given; one that does not fit into what is left is passed over.
 * @param limitBytes of index files that are read in all.
 */
export async function measureBtrees(
  session: TargetSession,
  targets: readonly MeasureTarget[],
  limitBytes: number,
): Promise<{ measured: BtreeDensity[]; limits: Limit[] }> {
  const measured: BtreeDensity[] = [];
  if (targets.length === 0) return { measured, limits: [] };
  const place = await whereInstalled(session);
  if ('code' in place) return { measured, limits: [place] };
  const limits: Limit[] = [];
  const left: string[] = [];
  let room = limitBytes;
  for (const { oid, schema, name, size_bytes } of targets) {
    if (size_bytes > room) {
      left.push(`${schema}.${name}`);
      continue;
    }
    try {
      const rows = await session.query(
        `SELECT index_size::int8 AS index_bytes, leaf_pages::int8, internal_pages::int8, empty_pages::int8,
                deleted_pages::int8, CASE WHEN leaf_pages > 0 THEN avg_leaf_density ELSE 0 END::float8 AS avg_leaf_density
         FROM ${quoteIdentifier(place.schema)}.pgstatindex($1::oid::regclass)`,
        [oid],
      );
      const row = z.array(rowSchema).parse(rows)[0];
      if (row) measured.push({ oid, schema, name, ...row });
      room -= size_bytes;
    } catch (error) {
      if (!(error instanceof TargetQueryError)) throw error;
      limits.push(notMeasured(`${schema}.${name}`, error, session.role));
      if (error.sqlstate === INSUFFICIENT_PRIVILEGE) break;
    }
  }
  if (left.length > 0) {
    limits.push({
      scope: SCOPE,
      code: 'bloat_not_measured',
      message: `${left.length} index(es) that seem bloated were not measured, for they are larger than what was left to read: ${left.slice(0, 5).join(', ')}.`,
      remedy: 'Allow more to be read (--measure-bloat, PGLUTHIER_MEASURE_BLOAT).',
    });
  }
  return { measured, limits };
}

const INSUFFICIENT_PRIVILEGE = '42501';

async function whereInstalled(session: TargetSession): Promise<{ schema: string } | Limit> {
  const [found] = await session.query<{ schema: string }>(
    `SELECT nspname::text AS schema FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
     WHERE extname = 'pgstattuple'`,
  );
  return (
    found ?? {
      scope: SCOPE,
      code: 'pgstattuple_missing',
      message:
        'The bloat of indexes was to be measured, but the extension pgstattuple is not in this database.',
      remedy: 'CREATE EXTENSION pgstattuple;',
    }
  );
}

function notMeasured(name: string, error: TargetQueryError, role: string): Limit {
  const refused = error.sqlstate === INSUFFICIENT_PRIVILEGE;
  return {
    scope: SCOPE,
    code: refused ? 'insufficient_privilege' : 'bloat_not_measured',
    message: `The bloat of ${name} could not be measured: ${error.message}`,
    remedy: refused ? `GRANT pg_stat_scan_tables TO ${quoteIdentifier(role)};` : null,
  };
}
