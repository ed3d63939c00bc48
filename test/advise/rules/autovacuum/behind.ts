/** Servers of two majors on which autovacuum falls behind, collected, advised and changed as the product does it. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect } from 'vitest';
import { collectSnapshot } from '../../../../src/collect/index.ts';
import type {
  Change,
  RecommendationDraft,
  Rule,
  RuleContext,
  Snapshot,
} from '../../../../src/domain/index.ts';
import { startEmbedded } from '../../../../src/embedded/index.ts';
import { openTarget } from '../../../../src/target/index.ts';
import { diffSnapshots } from '../../../../src/workload/index.ts';
import { advisedOn } from '../../../pipeline/advised.ts';
import { testMajors } from '../../../support/servers.ts';
import { contextOf, GB } from '../../../support/snapshot-builder.ts';

/** max_worker_processes, autovacuum_worker_slots and the memory of dead rows differ from 17 and 18 on. */
export const ends = [Math.min(...testMajors), Math.max(...testMajors)];

const TICK_MS = 200;

export type Behind = Awaited<ReturnType<typeof behindServer>>;

export async function behindServer(major: number, settings: Record<string, string>) {
  const server = await startEmbedded({
    major,
    name: `behind${major}`,
    light: 'disk',
    settings: { shared_preload_libraries: 'pg_stat_statements', logging_collector: 'on', ...settings },
  });
  const dsn = server.dsn('postgres');
  const at = await advisedOn(dsn, () => server.stop('immediate'));
  let advices = 0;

  async function look(): Promise<Snapshot> {
    const session = await openTarget(dsn, { applicationName: 'pgluthier-test', readOnly: true });
    try {
      return await collectSnapshot(session, {
        host_overrides: { ram_bytes: 16 * GB, cpu_count: 8, disk_type: 'ssd' },
      });
    } finally {
      await session.close();
    }
  }
  const own = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: dsn, application_name: 'shop' });
    client.on('error', () => {});
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => {});
    }
  };
  const run = (sql: string) => own((client) => client.query(sql));
  // What is asked ten times a second does not want a session each time.
  const list = async <T extends object>(sql: string) => (await at.client.query(sql)).rows as T[];

  return {
    major,
    look,
    run,
    list,
    own,
    close: () => at.close(),
    restart: async () => {
      await at.client.end();
      await server.restart();
      at.client = new pg.Client({ connectionString: dsn });
      await at.client.connect();
    },
    /** A table of so many rows whose updates are never HOT: there is an index on what they change. */
    async makeTable(name: string, count: number, options = ''): Promise<void> {
      await run(
        `CREATE TABLE ${name} (id int PRIMARY KEY, n int, pad text)
           WITH (autovacuum_analyze_threshold = 2000000000${options});
         INSERT INTO ${name} SELECT g, 0, repeat('x', 100) FROM generate_series(1, ${count}) g;
         CREATE INDEX ON ${name} (n)`,
      );
      await run(`VACUUM ANALYZE ${name}`);
    },
    /**
     * Updates a part of each table five times a second, until it is told to end.
     * @param also sent ten times with it, each in a transaction of its own.
     */
    churning(tables: readonly string[], rows: number, count: number, also?: string): () => Promise<void> {
      const stop = new AbortController();
      let part = 0;
      const done = own(async (client) => {
        while (!stop.signal.aborted) {
          part = (part + 1) % Math.floor(count / rows);
          const which = `WHERE id > ${part * rows} AND id <= ${(part + 1) * rows}`;
          for (const name of tables) await client.query(`UPDATE ${name} SET n = n + 1 ${which}`);
          for (let turn = 0; also && turn < 10; turn += 1) await client.query(also);
          await client.query('SELECT pg_stat_force_next_flush()');
          await sleep(TICK_MS, undefined, { signal: stop.signal }).catch(() => {});
        }
      });
      // A test that failed has nobody who waits for it.
      done.catch(() => {});
      return async () => {
        stop.abort();
        await done;
      };
    },
    counts: () =>
      list<{ name: string; dead: number; vacuums: number }>(
        'SELECT relname AS name, n_dead_tup::int AS dead, autovacuum_count::int AS vacuums FROM pg_stat_user_tables ORDER BY 1',
      ),
    /** Of the server's own tables: what was seen between two looks, as it was. */
    async seen(seconds: number): Promise<RuleContext> {
      const before = await look();
      await sleep(seconds * 1000);
      const after = await look();
      return contextOf(after, { window: diffSnapshots(before, after) });
    },
    /** Approved by its hash and applied by the service. */
    async applied(draft: RecommendationDraft): Promise<void> {
      advices += 1;
      const apply = await at.applyNow(await at.propose(`advice ${advices}`, draft.change));
      expect(apply, JSON.stringify(apply)).toMatchObject({ outcome: { outcome: 'applied' } });
    },
    setting: async (name: string) => String(await at.value(`SELECT current_setting('${name}')`)),
    /** How often each vacuum of autovacuum read the indexes of this table, by the server's log, oldest first. */
    indexScans: async (table: string): Promise<number[]> => {
      const log = String(await at.value('SELECT pg_read_file(pg_current_logfile())'));
      const vacuums = log.matchAll(/automatic vacuum of table "[^"]*\.([^".]+)": index scans: (\d+)/g);
      return [...vacuums].filter(([, name]) => name === table).map(([, , scans]) => Number(scans));
    },
  };
}

/** What the rule advises, which must be of this setting. */
export async function advice(rule: Rule, context: RuleContext, name: string): Promise<RecommendationDraft> {
  const { recommendations, rejections } = await rule.evaluate(context);
  const [draft] = recommendations;
  expect(draft?.change, JSON.stringify(rejections)).toMatchObject({
    kind: 'setting',
    name,
  } satisfies Partial<Change>);
  if (!draft) throw new Error('no advice');
  return draft;
}

export const evidenceOf = ({ evidence }: RecommendationDraft) =>
  Object.fromEntries(evidence.map(({ name, value }) => [name, value]));

/** Why the rule is silent. */
export async function silence(rule: Rule, context: RuleContext): Promise<string[]> {
  const { recommendations, rejections } = await rule.evaluate(context);
  expect(recommendations).toEqual([]);
  return rejections.map(({ code }) => code);
}

/** The same on all servers at once; a failure says on which. */
export async function onAll(
  servers: readonly Behind[],
  scenario: (at: Behind) => Promise<void>,
): Promise<void> {
  await Promise.all(
    servers.map(async (at) => {
      try {
        await scenario(at);
      } catch (error) {
        throw new Error(`PostgreSQL ${at.major}: ${error instanceof Error ? error.message : error}`, {
          cause: error,
        });
      }
    }),
  );
}

/** Asks until it holds; the test's own limit ends it. */
export async function waitUntil(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(100);
}
