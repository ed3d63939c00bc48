/**
 * How long CREATE INDEX CONCURRENTLY takes, and how long the advisor says: by kind of index, each over a table that lies
 * in memory, without parallel workers and with those that the server would start. Compared are the processor's seconds
 * of a build without workers, which are those by the clock where nothing else runs. The constants of build-work.ts come
 * from here. What a disk adds is not measured: of what is said, the seconds of the work alone are compared.
 */
import pg from 'pg';
import { buildTime } from '../src/advise/index-advisor/build-time.ts';
import { CandidateSizes } from '../src/advise/index-advisor/candidate-size.ts';
import { advisorCatalog } from '../src/advise/index-advisor/catalog.ts';
import { asCandidate } from '../src/advise/index-advisor/leaving.ts';
import { bytesOf } from '../src/advise/index-advisor/size-model.ts';
import { startEmbedded } from '../src/embedded/index.ts';
import { openTwin } from '../src/whatif/index.ts';
import type { BenchmarkOptions, BenchmarkResult } from './benchmark.ts';
import { SHAPES, type Shape } from './build-times/shapes.ts';
import { collect } from './built/index.ts';
import { cpuOf } from './cpu-time.ts';

const ROWS = 1_000_000;
const round = (value: number) => Number(value.toFixed(3));

interface Built {
  index: string;
  cpu_s: number;
  alone_s: number;
  parallel_s: number;
}

interface Times {
  /** By the clock. */
  seconds: number;
  /** Of the session's own process. */
  cpu: number;
}

/** One build; the index is gone afterwards where it has no name to keep. */
async function timed(client: pg.Client, index: string, workers: number, keep: string | null): Promise<Times> {
  await client.query(`SET max_parallel_maintenance_workers = ${workers}`);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  const [used, started] = [await cpuOf(pid), performance.now()];
  await client.query(`CREATE INDEX CONCURRENTLY ${keep ?? 'measured'} ON ${index}`);
  const seconds = (performance.now() - started) / 1000;
  const cpu = ((await cpuOf(pid)) - used) / 1000;
  if (keep === null) await client.query('DROP INDEX measured');
  return { seconds, cpu };
}

async function builds(client: pg.Client, { indexes }: Shape): Promise<Built[]> {
  const built: Built[] = [];
  for (const [at, index] of indexes.entries()) {
    const parallel = await timed(client, index, 2, null);
    const alone = await timed(client, index, 0, `i${at}`);
    built.push({ index, cpu_s: alone.cpu, alone_s: alone.seconds, parallel_s: parallel.seconds });
  }
  return built;
}

async function shapeRows(
  major: number,
  shape: Shape,
  memory: string,
  all: number,
): Promise<Record<string, unknown>[]> {
  const rows = Math.round(all * (shape.share ?? 1));
  const server = await startEmbedded({
    major,
    name: 'bench-build-times',
    settings: {
      autovacuum: 'off',
      shared_buffers: '1GB',
      max_wal_size: '16GB',
      checkpoint_timeout: '1h',
      maintenance_work_mem: memory,
    },
  });
  const client = new pg.Client({ connectionString: server.dsn() });
  try {
    await client.connect();
    for (const extension of shape.extensions ?? []) await client.query(`CREATE EXTENSION ${extension}`);
    await client.query(shape.sql(rows));
    await client.query('VACUUM (ANALYZE)');
    const built = await builds(client, shape);
    await client.query('ANALYZE');
    const snapshot = await collect(server.dsn());
    const catalog = advisorCatalog(snapshot);
    const twin = await openTwin(snapshot);
    try {
      const sizes = new CandidateSizes(catalog, snapshot, twin);
      const found: Record<string, unknown>[] = [];
      for (const [at, { index, cpu_s, alone_s, parallel_s }] of built.entries()) {
        const row = snapshot.indexes.find(({ name }) => name === `i${at}`);
        const table = row && catalog.tables.get(row.table_oid);
        if (!row || !table) throw new Error(`the index on ${index} was not collected`);
        const candidate = asCandidate(row, table);
        for (const [place, key] of candidate.definition.keys.entries()) {
          key.opclass = row.opclasses[place] ?? null;
        }
        const { size, expressions } = await sizes.sizeInBudget(candidate, null);
        const build = buildTime(
          { candidate: { ...candidate, expressions }, size, size_bytes: bytesOf(size) },
          snapshot,
        );
        const said = build.work_seconds ?? Number.NaN;
        found.push({
          major,
          memory,
          index,
          rows,
          said_s: round(said),
          cpu_s: round(cpu_s),
          said_of_cpu: round(said / cpu_s),
          alone_s: round(alone_s),
          parallel_s: round(parallel_s),
        });
      }
      return found;
    } finally {
      await twin.close();
    }
  } finally {
    await client.end();
    await server.stop('immediate');
  }
}

/**
 * `--quick`: a tenth of the rows. `--only`: names of shapes, a major (15 to 18; 18 where none is named), and a
 * maintenance_work_mem (such as 8MB; 64MB where none is named).
 */
export async function buildTimesBenchmark({ quick, only }: BenchmarkOptions): Promise<BenchmarkResult> {
  const named = only ?? [];
  const majors = named.filter((name) => /^\d\d$/.test(name)).map(Number);
  const memory = named.find((name) => /^\d+MB$/.test(name)) ?? '64MB';
  const shapes = SHAPES.filter(({ name }) => named.includes(name));
  const rows: Record<string, unknown>[] = [];
  for (const major of majors.length > 0 ? majors : [18]) {
    for (const shape of shapes.length > 0 ? shapes : SHAPES) {
      rows.push(...(await shapeRows(major, shape, memory, quick ? ROWS / 10 : ROWS)));
    }
  }
  console.table(rows);
  const ratios = rows.map(({ said_of_cpu }) => Number(said_of_cpu)).toSorted((a, b) => a - b);
  const at = (share: number) => ratios[Math.floor(share * (ratios.length - 1))] ?? null;
  const figure = (value: number | null, better: 'lower' | 'higher') => ({
    value,
    unit: 'said ÷ real',
    aim: 1,
    better,
  });
  console.log(
    `said ÷ real of ${ratios.length} builds: ${at(0)} to ${at(1)}, half of them ${at(0.25)} to ${at(0.75)}`,
  );
  return {
    figures: { build_time_least: figure(at(0), 'higher'), build_time_most: figure(at(1), 'lower') },
    rows,
  };
}
