/**
 * The index advisor on a large schema: 5,000 statements on 500 tables with 3,000 indexes. The schema and its statistics
 * come from a real server; sizes are then multiplied, for filling 500 large tables would only measure the disk.
 */
import pg from 'pg';
import { rule } from '../src/advise/rules/index/missing.ts';
import { collectSnapshot } from '../src/collect/index.ts';
import type { Snapshot } from '../src/domain/index.ts';
import { startEmbedded } from '../src/embedded/index.ts';
import { openTarget } from '../src/target/index.ts';
import { openTwin } from '../src/whatif/index.ts';
import { workloadFromFiles } from '../src/workload/index.ts';
import type { BenchmarkOptions, BenchmarkResult } from './benchmark.ts';
import { grown } from './index-workloads/index-workload.ts';

const ROWS = 1000;
/** Pages and rows of each table are multiplied by it. */
const GROWTH = 2000;

/** Shapes as applications have them; `t` and `u` are table numbers. */
const shapes: ((t: number, u: number, n: number) => string)[] = [
  (t, _, n) =>
    `SELECT * FROM t${t} WHERE tenant_id = ${n % 50} AND status = 'open' ORDER BY created_at DESC LIMIT 20`,
  (t, _, n) => `SELECT id, email FROM t${t} WHERE lower(email) = 'user${n}@example.com'`,
  (t, u) =>
    `SELECT t.id, u.amount FROM t${t} t JOIN t${u} u ON u.parent_id = t.id WHERE t.code = 'c17' AND u.status = 'open'`,
  (t, _, n) =>
    `SELECT count(*) FROM t${t} WHERE created_at >= '2026-01-0${1 + (n % 9)}' AND created_at < '2026-01-20'`,
  (t, _, n) => `UPDATE t${t} SET amount = amount + 1 WHERE code = 'c${n % 300}' AND parent_id = ${n % 500}`,
  (t, _, n) => `SELECT tenant_id, sum(amount) FROM t${t} WHERE parent_id = ${n % 500} GROUP BY tenant_id`,
  (t, _, n) => `SELECT * FROM t${t} WHERE parent_id IN (${n % 7}, ${n % 11}, ${n % 13}) AND amount > 900`,
  (t, u, n) =>
    `SELECT * FROM t${t} WHERE tenant_id = ${n % 50} AND EXISTS (SELECT 1 FROM t${u} u WHERE u.parent_id = t${t}.id AND u.amount > 990)`,
  (t, _, n) => `DELETE FROM t${t} WHERE tenant_id = ${n % 50} AND created_at < '2025-01-02'`,
  (t, _, n) => `SELECT id FROM t${t} WHERE email LIKE 'user${n % 10}%' AND tenant_id = ${n % 50}`,
];

async function schemaOf(tables: number): Promise<Snapshot> {
  const server = await startEmbedded({
    name: 'bench-scale',
    settings: { max_locks_per_transaction: '1024' },
  });
  const dsn = server.dsn('postgres');
  try {
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    for (let first = 0; first < tables; first += 50) {
      await client.query(`DO $$ BEGIN FOR i IN ${first}..${Math.min(first + 50, tables) - 1} LOOP
        EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, tenant_id int, parent_id bigint, code text, email text,
          status text, amount numeric(10, 2), created_at timestamptz, note text)', i);
        EXECUTE format($q$INSERT INTO t%s SELECT g, g %% 50, g %% 500, 'c' || g %% 300, 'user' || g || '@example.com',
          CASE WHEN g %% 20 = 0 THEN 'open' ELSE 'done' END, g, timestamptz '2025-01-01' + g * interval '9 hours',
          repeat('x', 60) FROM generate_series(1, ${ROWS}) g$q$, i);
        EXECUTE format('CREATE INDEX ON t%s (tenant_id)', i);
        EXECUTE format('CREATE INDEX ON t%s (note)', i);
        EXECUTE format('CREATE INDEX ON t%s (amount)', i);
        EXECUTE format('CREATE INDEX ON t%s (status)', i);
        EXECUTE format('CREATE INDEX ON t%s (note, amount)', i);
      END LOOP; END $$`);
    }
    await client.query('VACUUM ANALYZE');
    await client.end();
    const session = await openTarget(dsn, { applicationName: 'pgluthier:bench', readOnly: true });
    try {
      return await collectSnapshot(session);
    } finally {
      await session.close();
    }
  } finally {
    await server.stop('immediate');
  }
}

export async function indexScaleBenchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const rows = [];
  for (const [tables, statements] of quick
    ? [[50, 500]]
    : ([
        [50, 500],
        [500, 5000],
      ] as [number, number][])) {
    if (tables === undefined || statements === undefined) continue;
    const snapshot = grown(await schemaOf(tables), GROWTH);
    const files = Array.from({ length: statements }, (_, n) => {
      const shape = shapes[n % shapes.length];
      const table = Math.floor(n / shapes.length) % tables;
      return {
        name: `${n}.sql`,
        text: `-- calls: ${1 + ((n * 7919) % 1000)}\n${shape?.(table, (table + 1) % tables, n)};`,
      };
    });
    const workload = await workloadFromFiles(files);
    const booting = performance.now();
    const twin = await openTwin(snapshot);
    const [started, own] = [performance.now(), process.cpuUsage()];
    let peak = 0;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 200);
    try {
      const result = await rule.evaluate({
        snapshot,
        window: null,
        workload,
        what_if: twin,
        index_budget_bytes: null,
        progress: () => {},
        deadline: Date.now() + 1_800_000,
      });
      const spent = process.cpuUsage(own);
      const { cost_before = 0, cost_after = 0, analysed = [] } = result.coverage ?? {};
      rows.push({
        tables,
        existing: snapshot.indexes.length,
        statements: workload.queries.length,
        analysed: analysed.length,
        boot_s: Number(((started - booting) / 1000).toFixed(1)),
        search_s: Number(((performance.now() - started) / 1000).toFixed(1)),
        own_cpu_s: Number(((spent.user + spent.system) / 1e6).toFixed(1)),
        questions: twin.questions,
        rss_mb: Math.round(peak / 2 ** 20),
        recommended: result.recommendations.length,
        cost_left: Number((cost_after / cost_before).toFixed(4)),
      });
    } finally {
      clearInterval(watch);
      await twin.close();
    }
  }
  console.table(rows);
  const last = rows.at(-1);
  return {
    rows,
    figures: {
      index_scale_seconds: {
        value: last ? last.boot_s + last.search_s : null,
        unit: 's',
        aim: 300,
        better: 'lower',
      },
      index_scale_rss_mb: { value: last?.rss_mb ?? null, unit: 'MB', aim: 1536, better: 'lower' },
    },
  };
}
