/** A rule's context out of a real database: collected, with a twin of it where a test asks for plans. */
import pg from 'pg';
import { expect, vi } from 'vitest';
import { collectSnapshot } from '../../../../src/collect/index.ts';
import type {
  IndexDefinition,
  RecommendationDraft,
  RuleContext,
  Snapshot,
  WhatIf,
  Workload,
} from '../../../../src/domain/index.ts';
import { renderIndexDefinition } from '../../../../src/domain/index.ts';
import { openTarget } from '../../../../src/target/index.ts';
import { openTwin } from '../../../../src/whatif/index.ts';
import { workloadFromFiles } from '../../../../src/workload/index.ts';
import { ofOwnTables } from '../../../support/own-tables.ts';
import { type TestServer, testServer } from '../../../support/servers.ts';

/** One database of the shared server, read by the real collector. */
export interface SampleDatabase {
  dsn: string;
  query(sql: string): Promise<unknown>;
  snapshot(): Promise<Snapshot>;
  close(): Promise<void>;
}

export async function sampleDatabase(sql: string, server?: TestServer): Promise<SampleDatabase> {
  const database = await (server ?? (await testServer())).createDatabase();
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  await client.query(sql);
  await tellCounters(client);
  return {
    dsn: database.dsn,
    query: async (text) => client.query(await ofOwnTables(client, text)),
    snapshot: async () => {
      const session = await openTarget(database.dsn, {
        applicationName: 'pgluthier-test',
        readOnly: true,
      });
      try {
        return await collectSnapshot(session);
      } finally {
        await session.close();
      }
    },
    close: async () => {
      await client.end();
      await database.drop();
    },
  };
}

/** What is counted and not told yet would be told after an ANALYZE, as changes since (from 15 on a session can tell it). */
async function tellCounters(client: pg.Client): Promise<void> {
  const { rows } = await client.query("SELECT to_regproc('pg_stat_force_next_flush') IS NOT NULL AS can");
  if (rows[0]?.can) await client.query('SELECT pg_stat_force_next_flush()');
}

/**
 * VACUUM ANALYZE until all pages are marked as visible to all: a worker of autovacuum that began while the rows came
 * holds VACUUM back from it; index-only scans are dear then, and other sets right.
 */
export async function vacuumAll(database: SampleDatabase): Promise<void> {
  await vi.waitFor(
    async () => {
      await database.query('VACUUM ANALYZE');
      const hidden = await database.query(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'm') AND relallvisible < relpages AND oid >= 16384",
      );
      expect(hidden).toMatchObject({ rows: [] });
    },
    { timeout: 30_000, interval: 200 },
  );
}

const NOTHING_SEEN: Workload = {
  source: 'window',
  from: null,
  to: null,
  seconds: null,
  queries: [],
  set_aside: [],
  database_time_ms: 0,
  limits: [],
};

/** Everything empty but for what is given; `sql` is the workload, one call a statement unless it says otherwise. */
export async function contextOf(
  snapshot: Snapshot,
  parts: Partial<RuleContext> & { sql?: string } = {},
): Promise<RuleContext> {
  const { sql, ...rest } = parts;
  return {
    snapshot,
    window: null,
    workload:
      sql === undefined ? NOTHING_SEEN : await workloadFromFiles([{ name: 'workload.sql', text: sql }]),
    what_if: null,
    index_budget_bytes: null,
    progress: () => {},
    deadline: Date.now() + 600_000,
    ...rest,
  };
}

export async function twinOf(snapshot: Snapshot): Promise<WhatIf> {
  return openTwin(snapshot);
}

export interface PlannedDatabase {
  database: SampleDatabase;
  snapshot: Snapshot;
  whatIf: WhatIf;
  close(): Promise<void>;
}

/** A database whose pages are all visible to all, a snapshot of it, and a twin to ask. */
export async function plannedDatabase(sql: string, server?: TestServer): Promise<PlannedDatabase> {
  const database = await sampleDatabase(sql, server);
  try {
    await vacuumAll(database);
    const snapshot = await database.snapshot();
    const whatIf = await twinOf(snapshot);
    return {
      database,
      snapshot,
      whatIf,
      close: async () => {
        await whatIf.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Definitions that are to be made, without their names: `public.t USING btree (a, b)`. */
export function created(recommendations: readonly RecommendationDraft[]): string[] {
  return recommendations.flatMap(({ change }) =>
    change.kind === 'index.create' ? [shapeOf(change.index)] : [],
  );
}

function shapeOf(index: IndexDefinition): string {
  return renderIndexDefinition({ ...index, name: 'x' }).replace('CREATE INDEX x ON ', '');
}

/** Names of the indexes that are to be dropped. */
export function dropped(recommendations: readonly RecommendationDraft[]): string[] {
  return recommendations.flatMap(({ change }) =>
    change.kind === 'index.drop' ? [`${change.schema}.${change.name}`] : [],
  );
}
