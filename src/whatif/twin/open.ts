/**
 * The twin: an embedded server of the target's own major version that holds its schema, statistics, sizes and planner
 * settings, but no data, so that its planner answers as the target's would.
 */
import { join } from 'node:path';
import pg from 'pg';
import {
  type ColumnRow,
  type IndexRow,
  type Limit,
  PgLuthierError,
  quoteIdentifier,
  type Snapshot,
  type WhatIf,
} from '../../domain/index.ts';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../embedded/index.ts';
import { estimateBtreeLevel, extendRelation, raiseBtree } from './pages.ts';
import { Twin } from './planner.ts';
import { buildSchema } from './schema.ts';
import { plannerSettings, TWIN_SETTINGS } from './settings.ts';
import { listRelations, type TwinRelation, writeSizes, writeStatistics } from './statistics.ts';

export interface TwinOptions {
  /** Another major than the target's: for tests. */
  major?: number;
  progress?: (message: string) => void;
}

const DATABASE = 'twin';
/** Plans as this role, which owns nothing and is no superuser: functions folded while planning run with its rights. */
const PLANNER_ROLE = 'pgluthier_planner';

/**
 * Builds the twin of a snapshot.
 * @throws PgLuthierError `twin_unavailable` when no PostgreSQL is installed here, `twin_needs_sparse_files`.
 */
export async function openTwin(snapshot: Snapshot, options: TwinOptions = {}): Promise<WhatIf> {
  const limits: Limit[] = [];
  const major = chooseMajor(snapshot, options.major, limits);
  const server = await startEmbedded({
    major,
    name: 'twin',
    settings: { ...TWIN_SETTINGS },
    initdbArgs: initdbArguments(snapshot, major, limits),
  });
  try {
    await prepareDatabase(server, snapshot, limits);
    options.progress?.(`building the twin: ${snapshot.tables.length} tables`);
    const relations = await withClient(server.dsn(DATABASE), async (client) => {
      await client.query("SET search_path = pg_catalog; SET client_min_messages = 'error'");
      limits.push(...(await buildSchema(client, snapshot)));
      const found = await listRelations(client);
      await writeSizes(client, found, snapshot);
      limits.push(...(await writeStatistics(client, snapshot)));
      await client.query(
        `UPDATE pg_index SET indisvalid = false WHERE indexrelid = ANY (
           SELECT to_regclass(name)::oid FROM unnest($1::text[]) AS name)`,
        [
          snapshot.indexes
            .filter((index) => !index.is_valid)
            .map((index) => `${quoteIdentifier(index.schema)}.${quoteIdentifier(index.name)}`),
        ],
      );
      return found;
    });
    // The server must forget the pages it has seen: files change beneath it only while it is down.
    await server.restart(() => shapeFiles(server, snapshot, relations));
    return await Twin.open(server, {
      adminDsn: server.dsn(DATABASE),
      plannerDsn: withRole(server.dsn(DATABASE), PLANNER_ROLE),
      snapshot,
      limits,
    });
  } catch (error) {
    await server.stop('immediate');
    throw error;
  }
}

function chooseMajor(snapshot: Snapshot, asked: number | undefined, limits: Limit[]): number {
  const wanted = asked ?? Math.floor(snapshot.server.server_version_num / 10_000);
  const available = availableMajors();
  if (available.includes(wanted)) return wanted;
  const nearest = available.toSorted((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted))[0];
  if (nearest === undefined) {
    throw new PgLuthierError({
      code: 'twin_unavailable',
      status: 424,
      message: 'No PostgreSQL is installed here to simulate plans with.',
      remedy:
        'Install with optional dependencies (npm ci without --omit=optional) on Linux x64/arm64 or macOS.',
    });
  }
  limits.push({
    scope: 'twin',
    code: 'twin_other_major',
    message: `Plans were simulated by PostgreSQL ${nearest}, the target runs ${wanted}: their planners differ.`,
    remedy: null,
  });
  return nearest;
}

/**
 * The planner asks of a collation whether it is C: only then does a plain B-tree serve LIKE. Any other locale is
 * represented by C.UTF-8 of the C library, which is not C to it; estimates from histograms of texts may differ a little.
 */
function initdbArguments(snapshot: Snapshot, major: number, limits: Limit[]): string[] {
  const { encoding, lc_collate, locale_provider, icu_locale } = snapshot.server;
  const checksums = major >= 18 ? ['--no-data-checksums'] : [];
  const base = [`--encoding=${encoding}`, ...checksums];
  if (locale_provider === 'b' && major >= 17 && icu_locale) {
    return [...base, '--locale=C', '--locale-provider=builtin', `--builtin-locale=${icu_locale}`];
  }
  if (locale_provider !== 'i' && (lc_collate === 'C' || lc_collate === 'POSIX'))
    return [...base, '--locale=C'];
  limits.push({
    scope: 'twin',
    code: 'twin_collation_substituted',
    message: `The twin compares texts by C.UTF-8 in place of ${icu_locale ?? lc_collate ?? "the target's collation"}; estimates for ranges of texts may differ a little.`,
    remedy: null,
  });
  return [...base, '--locale=C.UTF-8'];
}

async function prepareDatabase(server: EmbeddedServer, snapshot: Snapshot, limits: Limit[]): Promise<void> {
  await withClient(server.dsn('postgres'), async (client) => {
    await client.query(`CREATE DATABASE ${DATABASE}`);
    await client.query(`CREATE ROLE ${PLANNER_ROLE} LOGIN IN ROLE pg_read_all_data, pg_write_all_data`);
    for (const [name, value] of Object.entries(plannerSettings(snapshot))) {
      try {
        await client.query(
          `ALTER ROLE ${PLANNER_ROLE} SET ${name.split('.').map(quoteIdentifier).join('.')} = ${settingValue(name, value)}`,
        );
      } catch (error) {
        limits.push({
          scope: 'twin',
          code: 'setting_not_copied',
          message: `The planner setting ${name} could not be copied: ${error instanceof Error ? error.message : String(error)}`,
          remedy: null,
        });
      }
    }
  });
}

/** search_path is a list: as one quoted text it would be a single schema's name. Its text in pg_settings is quoted already. */
function settingValue(name: string, value: string): string {
  if (name === 'search_path') {
    const parts = value.split(',').map((part) =>
      part
        .trim()
        .replace(/^"(.*)"$/s, '$1')
        .replaceAll('""', '"'),
    );
    return parts.map((part) => `'${part.replaceAll("'", "''")}'`).join(', ');
  }
  return `'${value.replaceAll("'", "''")}'`;
}

async function withClient<T>(dsn: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: dsn, application_name: 'pgluthier:twin' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The same socket under another role: whoever may open the private socket is trusted there. */
function withRole(dsn: string, role: string): string {
  const [base = '', query = ''] = dsn.split('?');
  const parameters = new URLSearchParams(query);
  parameters.set('user', role);
  return `${base}?${parameters.toString()}`;
}

/** Every file as long as the target's, every B-tree as high. */
async function shapeFiles(
  server: EmbeddedServer,
  snapshot: Snapshot,
  relations: Map<string, TwinRelation>,
): Promise<void> {
  const columns = new Map<string, ColumnRow>(
    snapshot.columns.map((column) => [`${column.table_oid}.${column.attnum}`, column]),
  );
  for (const table of snapshot.tables) {
    const relation = relations.get(`${table.schema}.${table.name}`);
    if (relation?.path) await extendRelation(join(server.dataDirectory, relation.path), table.main_pages);
  }
  for (const index of snapshot.indexes) {
    const relation = relations.get(`${index.schema}.${index.name}`);
    if (!relation?.path) continue;
    const path = join(server.dataDirectory, relation.path);
    if (index.method === 'btree' && index.main_pages > 1) {
      const known = snapshot.schema.btree_levels[String(index.oid)];
      await raiseBtree(
        path,
        known ?? estimateBtreeLevel(index.main_pages, keyBytes(index, columns)),
        index.main_pages,
      );
    } else {
      await extendRelation(path, index.main_pages);
    }
  }
}

/** Average width of an index's keys; an expression counts as 16 bytes when nothing is known of it. */
function keyBytes(index: IndexRow, columns: Map<string, ColumnRow>): number {
  return index.key_attnums.reduce((sum, attnum) => {
    const column = columns.get(`${index.table_oid}.${attnum}`);
    const width = column?.stats?.avg_width ?? (column && column.typlen > 0 ? column.typlen : 16);
    return sum + width;
  }, 0);
}
