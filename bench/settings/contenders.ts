/** The three configurations, and how a server takes each of them up. */
import pg from 'pg';
import { hostSettings, loadRules } from '../../src/advise/index.ts';
import { collectSnapshot } from '../../src/collect/index.ts';
import {
  type ActivityPoint,
  quoteIdentifier,
  quoteLiteral,
  type Recommendation,
  type Snapshot,
} from '../../src/domain/index.ts';
import type { EmbeddedServer } from '../../src/embedded/index.ts';
import { analyse } from '../../src/pipeline/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { concurrencyOf, diffSnapshots, workloadFromWindow } from '../../src/workload/index.ts';
import type { MemoryGroup } from './memory-group.ts';
import { type PgtuneInput, pgtune } from './pgtune.ts';

/** `pgtune again` has the same settings as `pgtune`: what the two differ by is what this machine scatters. */
export type Contender = 'default' | 'pgtune' | 'pgtune again' | 'ours';
export const CONTENDERS: readonly Contender[] = ['default', 'pgtune', 'pgtune again', 'ours'];

export type Host = Pick<PgtuneInput, 'major' | 'ram_bytes' | 'cpus' | 'disk'>;

export interface Configuration {
  /** By ALTER SYSTEM. */
  settings: Record<string, string>;
  /** ALTER ROLE and ALTER DATABASE, which stay until RESET. */
  statements: string[];
  /** What could not be taken up here, and why. */
  left_out: string[];
}

const DATABASE = 'postgres';

async function ask<T extends pg.QueryResultRow>(server: EmbeddedServer, statements: string[]): Promise<T[]> {
  const client = new pg.Client({ connectionString: server.dsn(DATABASE) });
  await client.connect();
  try {
    let rows: T[] = [];
    for (const sql of statements) ({ rows } = await client.query<T>(sql));
    return rows;
  } finally {
    await client.end();
  }
}

/** Settings that this build of the server knows and takes. */
async function takeable(
  server: EmbeddedServer,
  wanted: Record<string, string>,
): Promise<Pick<Configuration, 'settings' | 'left_out'>> {
  const rows = await ask<{ name: string; enumvals: string[] | null }>(server, [
    'SELECT name, enumvals FROM pg_settings',
  ]);
  const known = new Map(rows.map(({ name, enumvals }) => [name, enumvals]));
  const settings: Record<string, string> = {};
  const left_out: string[] = [];
  for (const [name, value] of Object.entries(wanted)) {
    const values = known.get(name);
    if (values === undefined) left_out.push(`${name} = ${value}: this version has no such setting`);
    else if (values && !values.includes(value)) left_out.push(`${name} = ${value}: not in this build`);
    else settings[name] = value;
  }
  return { settings, left_out };
}

/** Every table and index, smallest last: larger buffers are not to be punished for being empty after a restart. */
const WARM = `SELECT pg_prewarm(c.oid) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i') ORDER BY pg_relation_size(c.oid) DESC`;

/**
 * Takes up a configuration in place of whatever was set before: with a restart, and in the group; then reads what the
 * restart threw out of the buffers.
 */
export async function configure(
  server: EmbeddedServer,
  configuration: Configuration,
  group: MemoryGroup | null,
): Promise<void> {
  await ask(server, [
    'ALTER SYSTEM RESET ALL',
    'ALTER ROLE postgres RESET ALL',
    // The roles of one of the loads.
    "DO $$ DECLARE who name; BEGIN FOR who IN SELECT rolname FROM pg_roles WHERE rolname IN ('app', 'reports') LOOP EXECUTE format('ALTER ROLE %I RESET ALL', who); END LOOP; END $$",
    `ALTER DATABASE ${DATABASE} RESET ALL`,
    ...Object.entries(configuration.settings).map(
      ([name, value]) => `ALTER SYSTEM SET ${quoteIdentifier(name)} = ${quoteLiteral(value)}`,
    ),
    ...configuration.statements,
  ]);
  await server.restart();
  await group?.take(server.pid);
  await ask(server, [WARM]);
}

export async function pgtuneConfiguration(
  server: EmbeddedServer,
  input: PgtuneInput,
): Promise<Configuration> {
  return { ...(await takeable(server, pgtune(input))), statements: [] };
}

/** Analyses one after the other, as on consecutive nights: what the first one changed may show the next one more. */
const NIGHTS = 2;
/** Samples of sessions while the load runs: a day's at one a minute, as the service takes them, within half a minute. */
const SAMPLE_MS = 20;

/**
 * Ours: the baseline for the same hardware, then what the advisor says after it has seen the load run with that, and
 * once more after that.
 * @param observe runs the load.
 */
export async function ourConfiguration(
  server: EmbeddedServer,
  host: Host,
  type: PgtuneInput['type'],
  group: MemoryGroup | null,
  observe: () => Promise<unknown>,
): Promise<{ configuration: Configuration; advice: string[] }> {
  const { ram_bytes, cpus, disk, major } = host;
  const set = hostSettings({ ram_bytes, cpu_count: cpus, disk_type: disk, major, workload_type: type });
  const texts = Object.fromEntries(Object.entries(set.values).map(([name, { text }]) => [name, text]));
  let configuration: Configuration = { ...(await takeable(server, texts)), statements: [] };
  const advice: string[] = [];
  for (let night = 1; night <= NIGHTS; night += 1) {
    await configure(server, configuration, group);
    const report = await nightly(server, host, observe);
    const advised = report.recommendations.map(byHandToo).filter(({ statements }) => statements.length > 0);
    advice.push(
      ...report.recommendations.map(
        ({ title, kind }) => `${title}${kind === 'finding' ? ' (by hand)' : ''} (night ${night})`,
      ),
    );
    if (advised.length === 0) break;
    configuration = await withAdvice(server, configuration, advised);
  }
  return { configuration, advice };
}

/** max_connections is left to a person, who follows it here: whatever else is left to a person is not done. */
function byHandToo(one: Recommendation): Pick<Recommendation, 'statements'> {
  const { setting } = one;
  if (setting?.name !== 'max_connections' || one.statements.length > 0) return one;
  return { statements: [`ALTER SYSTEM SET max_connections = ${quoteLiteral(setting.value)}`] };
}

/** What the rules of the area settings say of the load. */
async function nightly(
  server: EmbeddedServer,
  { ram_bytes, cpus, disk }: Host,
  observe: () => Promise<unknown>,
) {
  await ask(server, ['SELECT pg_stat_statements_reset()']);
  const session = await openTarget(server.dsn(DATABASE), {
    applicationName: 'pgluthier-bench',
    readOnly: true,
  });
  try {
    const look = () =>
      collectSnapshot(session, { host_overrides: { ram_bytes, cpu_count: cpus, disk_type: disk } });
    const before = await look();
    const points = await sampled(server, observe());
    await ask(server, ['SELECT pg_stat_force_next_flush()']);
    const after = await look();
    return await analysed(before, after, points);
  } finally {
    await session.close();
  }
}

/** Sessions at once, until what runs has ended. */
async function sampled(server: EmbeddedServer, running: Promise<unknown>): Promise<ActivityPoint[]> {
  const points: ActivityPoint[] = [];
  let runs = true;
  const ended = running.finally(() => {
    runs = false;
  });
  const client = new pg.Client({
    connectionString: server.dsn(DATABASE),
    application_name: 'pgluthier-bench',
  });
  await client.connect();
  try {
    while (runs) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
      const { rows } = await client.query<Omit<ActivityPoint, 'taken_at' | 'oldest_xmin_age'>>(
        `SELECT count(*)::int AS total, (count(*) FILTER (WHERE state = 'active'))::int AS active,
           (count(*) FILTER (WHERE state = 'idle'))::int AS idle,
           (count(*) FILTER (WHERE state LIKE 'idle in transaction%'))::int AS idle_in_transaction,
           (count(*) FILTER (WHERE state = 'active'))::int AS active_here, 0 AS waiting_for_lock
         FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'pgluthier-bench'`,
      );
      for (const row of rows)
        points.push({ ...row, taken_at: new Date().toISOString(), oldest_xmin_age: null });
    }
  } finally {
    await client.end();
  }
  await ended;
  return points;
}

async function analysed(before: Snapshot, after: Snapshot, points: readonly ActivityPoint[]) {
  const concurrency = concurrencyOf(points);
  const window = { ...diffSnapshots(before, after), ...(concurrency ? { concurrency } : {}) };
  return analyse({
    target: { id: null, name: 'bench' },
    snapshot: after,
    window,
    workload: await workloadFromWindow(window, after),
    rules: await loadRules(),
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

/** Applies what was recommended and reads back what stands in postgresql.auto.conf then. */
async function withAdvice(
  server: EmbeddedServer,
  baseline: Configuration,
  advised: readonly Pick<Recommendation, 'statements'>[],
): Promise<Configuration> {
  const statements = advised.flatMap((one) => one.statements);
  await ask(server, statements);
  const rows = await ask<{ name: string; setting: string }>(server, [
    `SELECT DISTINCT ON (name) name, setting FROM pg_file_settings
     WHERE sourcefile LIKE '%postgresql.auto.conf' ORDER BY name, seqno DESC`,
  ]);
  return {
    settings: Object.fromEntries(rows.map(({ name, setting }) => [name, setting])),
    statements: [...baseline.statements, ...statements.filter((sql) => /^ALTER (ROLE|DATABASE)/.test(sql))],
    left_out: baseline.left_out,
  };
}
