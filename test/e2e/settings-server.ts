/** A real server that is watched, advised and changed as the product does it. */
import pg from 'pg';
import { expect } from 'vitest';
import { loadRules } from '../../src/advise/index.ts';
import { verifyApply } from '../../src/apply/index.ts';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Recommendation, Report, Snapshot } from '../../src/domain/index.ts';
import { startEmbedded } from '../../src/embedded/index.ts';
import { analyse } from '../../src/pipeline/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { diffSnapshots, workloadFromWindow } from '../../src/workload/index.ts';
import { apply } from '../apply/target.ts';
import { GB } from '../support/snapshot-builder.ts';

const BIG = `
  CREATE EXTENSION pg_stat_statements;
  CREATE ROLE reports LOGIN;
  CREATE ROLE app LOGIN;
  CREATE TABLE big (id int PRIMARY KEY, note text);
  INSERT INTO big SELECT g, md5(g::text) || repeat('x', 100) FROM generate_series(1, 50000) g;
  GRANT SELECT, INSERT ON big TO reports, app;
  ANALYZE big;
`;

export type Side = Awaited<ReturnType<typeof sideOf>>;

/**
 * A window, its workload and the snapshot at its end.
 * @param more snapshots in between: with four parts a verdict can tell how much a measure varies by itself.
 */
export async function sideOf(first: Snapshot, snapshot: Snapshot, more: readonly Snapshot[] = []) {
  const between = (from: Snapshot, to: Snapshot) => {
    const window = diffSnapshots(from, to);
    if (!window) throw new Error('no window');
    return window;
  };
  const window = between(first, snapshot);
  const all = [first, ...more, snapshot];
  const intervals = all.slice(1).map((to, place) => ({
    window: between(all[place] ?? first, to),
    tables: to.tables,
  }));
  return { window, snapshot, intervals, workload: await workloadFromWindow(window, snapshot) };
}

/** Parts of a watched window: as many as a verdict asks for. */
const PARTS = 4;

/**
 * What the settings rules say, with a twin to ask.
 * @param ids of these rules alone; absent: of all.
 */
export async function advise(side: Omit<Side, 'intervals'>, ids?: readonly string[]): Promise<Report> {
  return analyse({
    target: { id: null, name: 'test' },
    ...side,
    rules: (await loadRules()).filter(({ id }) => ids?.includes(id) ?? true),
    areas: ['settings'],
    index_budget_bytes: null,
    what_if: {
      engine: 'twin',
      openSession: null,
      twin: { postgres_directories: [], fetch_postgres: false },
    },
    time_limit_ms: 60_000,
    now: () => new Date(),
    progress: () => {},
  });
}

export function find(report: Report, rule: string, name: string): Recommendation {
  const found = report.recommendations.find((item) => item.rule === rule && item.setting?.name === name);
  if (found) return found;
  const why = report.rejections.filter((item) => item.rule === rule).map(({ reason }) => reason);
  throw new Error(`${rule} is quiet: ${why.join('; ')}`);
}

export const verdict = (item: Recommendation, before: Side, after: Side) =>
  verifyApply({
    change: item.change,
    affected_query_ids: [],
    otherwise_changed_query_ids: [],
    before,
    after,
    max_p: 0.01,
  }).verdict;

/**
 * With a table of 50,000 rows, two roles, and the least max_wal_size and checkpoint_timeout that there are.
 * @param more settings beside those, and memory of the host other than 64 GB.
 */
export async function settingsServer(
  major: number,
  more: { settings?: Record<string, string>; ram_bytes?: number } = {},
) {
  const server = await startEmbedded({
    major,
    name: `settings${major}`,
    light: 'disk',
    settings: {
      shared_preload_libraries: 'pg_stat_statements',
      max_wal_size: '32MB',
      min_wal_size: '32MB',
      checkpoint_timeout: '30s',
      ...more.settings,
    },
  });

  async function run(sql: string, user?: string): Promise<pg.QueryResult> {
    const url = new URL(server.dsn('postgres'));
    // A URL without a host, as a socket's, takes no name of a user in front.
    if (user) url.searchParams.set('user', user);
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }

  async function look(): Promise<Snapshot> {
    const session = await openTarget(server.dsn('postgres'), {
      applicationName: 'pgluthier-test',
      readOnly: true,
    });
    try {
      return await collectSnapshot(session, {
        // A slow disk: whatever else the machine does meanwhile, files of 7 MB are a good part of a sort's time.
        host_overrides: { ram_bytes: more.ram_bytes ?? 64 * GB, cpu_count: 4, disk_type: 'hdd' },
      });
    } finally {
      await session.close();
    }
  }

  await run(BIG);
  return {
    dsn: server.dsn('postgres'),
    run,
    look,
    stop: () => server.stop('immediate'),
    restart: () => server.restart(),
    apply: (item: Pick<Recommendation, 'change'>) => apply(server.dsn('postgres'), item.change),
    /** By the product's own apply; what an approval is bound to is what runs. */
    async carryOut({ change, plan_hash }: Recommendation): Promise<void> {
      const { outcome, plan } = await apply(server.dsn('postgres'), change);
      expect(outcome).toMatchObject({ outcome: 'applied', pending_restart: false });
      expect(plan.plan_hash).toBe(plan_hash);
    },
    /** A window of four parts, in each of which roles send these statements, each in a session of its own. */
    async watch(...sent: [user: string, sql: string][]): Promise<Side> {
      const looks = [await look()];
      for (let part = 0; part < PARTS; part += 1) {
        for (const [user, sql] of sent) await run(sql, user);
        looks.push(await look());
      }
      const [first, ...more] = looks;
      const last = more.pop();
      if (!first || !last) throw new Error('a window has two ends');
      return sideOf(first, last, more);
    },
  };
}
