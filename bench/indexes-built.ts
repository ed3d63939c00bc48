/**
 * The index advisor's sets for TPC-H built for real: a PostgreSQL 15 is filled with data of the benchmark's own
 * specification, read by the product's collector, advised at budgets of bytes; what it prints is run as it stands. Sizes
 * and plan costs are compared with what was predicted and with other advisors' sets on the same server, times with none.
 */
import pg from 'pg';
import { startEmbedded } from '../src/embedded/index.ts';
import { workloadFromFiles } from '../src/workload/index.ts';
import type { BenchmarkOptions, BenchmarkResult } from './benchmark.ts';
import {
  advise,
  type BuiltIndex,
  buildSet,
  collect,
  dropSet,
  gains,
  indexScans,
  planCosts,
  runTimes,
} from './built/index.ts';
import { type BuiltBudget, builtFigures, showBudget } from './indexes-built-figures.ts';
import { bestPeer, judgePeers, onlyWith } from './peer-sets.ts';
import { compareWithCatalog, fillTpch } from './tpch-data/index.ts';
import { judgedQueries, type QueryFile } from './tpch-queries.ts';

const MB = 1024 * 1024;
const BUDGETS_MB = [60, 100, 150, 300, 450];
/** What the catalog's database had, and room for the load. */
const SETTINGS = {
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  jit: 'off',
  work_mem: '64MB',
  effective_cache_size: '4GB',
  maintenance_work_mem: '512MB',
  autovacuum: 'off',
  // Tables that a transaction makes itself are not logged.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '8GB',
};

const total = (values: Map<string, number>) => [...values.values()].reduce((sum, value) => sum + value, 0);
const round = (value: number, digits = 0) => Number(value.toFixed(digits));

async function fill(client: pg.Client, dsn: string, scale: number, directory: string, files: QueryFile[]) {
  const started = performance.now();
  await fillTpch(dsn, scale);
  await client.query('ANALYZE');
  const asFilled = total(await planCosts(client, files));
  await client.query('VACUUM (ANALYZE)');
  await client.query('CHECKPOINT');
  console.log(
    `filled in ${round((performance.now() - started) / 1000)} s; 18 statements cost ${round(asFilled)} before VACUUM ` +
      `(the catalog's server: 3972580 at scale factor 1)`,
  );
  if (scale !== 1) return;
  const { sizes, columns, compared } = await compareWithCatalog(client, directory);
  console.table(sizes);
  console.log(`${columns.length} of ${compared} columns' statistics differ notably from the catalog's:`);
  console.table(columns);
}

/** Advises, builds, measures and drops at one budget. */
async function builtAt(
  client: pg.Client,
  seen: Parameters<typeof advise>[0] & { files: Map<string, string> },
  files: QueryFile[],
  megabytes: number,
): Promise<BuiltBudget> {
  const { result, seconds } = await advise(seen, megabytes * MB);
  const built: BuiltIndex[] = [];
  try {
    built.push(...(await buildSet(client, result.recommendations)));
    const costs = await planCosts(client, files);
    const gain = await gains(
      client,
      built.map(({ name }) => name),
      files,
    );
    const before = await indexScans(client);
    const times = await runTimes(client, files);
    const after = await indexScans(client);
    const predicted = new Map<string, number>();
    for (const { affects } of result.recommendations) {
      for (const { query_id, cost_after } of affects)
        predicted.set(seen.files.get(query_id) ?? '', cost_after);
    }
    return {
      budget_mb: megabytes,
      advise_seconds: seconds,
      predicted_cost: result.coverage?.cost_after ?? Number.NaN,
      costs,
      times,
      predicted_by_statement: predicted,
      indexes: built.map((index, at) => {
        const { cost_before, cost_after } = result.recommendations[at]?.estimate ?? {};
        return {
          ...index,
          predicted_gain: (cost_before ?? 0) - (cost_after ?? 0),
          real_gain: gain.get(index.name) ?? 0,
          scans: (after.get(index.name) ?? 0) - (before.get(index.name) ?? 0),
        };
      }),
    };
  } finally {
    await dropSet(client, result.recommendations.slice(0, built.length));
  }
}

/** Fills, and then all budgets on the same server; it and its data are gone at the end. */
export async function indexesBuiltBenchmark({ quick, data }: BenchmarkOptions): Promise<BenchmarkResult> {
  if (data === null) throw new Error('give --data <folder with catalog.json, peers.json and queries/>');
  const scale = quick ? 0.1 : 1;
  const budgets = (quick ? [60, 150] : BUDGETS_MB).map((megabytes) => megabytes * scale);
  const files = await judgedQueries(data);
  const server = await startEmbedded({
    major: 15,
    name: 'bench-built',
    settings: { ...SETTINGS, shared_buffers: quick ? '512MB' : '2GB' },
  });
  const client = new pg.Client({ connectionString: server.dsn() });
  try {
    await client.connect();
    await fill(client, server.dsn(), scale, data, files);
    const workload = await workloadFromFiles(files);
    const names = new Map<string, string>();
    for (const file of files) {
      for (const { query_id } of (await workloadFromFiles([file])).queries) names.set(query_id, file.name);
    }
    const seen = { snapshot: await collect(server.dsn()), window: null, workload, files: names };
    const bare = { costs: await planCosts(client, files), times: await runTimes(client, files) };
    console.log(`no index: cost ${round(total(bare.costs))}, ${round(total(bare.times))} ms`);
    const built: BuiltBudget[] = [];
    for (const megabytes of budgets) {
      const one = await builtAt(client, seen, files, megabytes);
      showBudget(one, bare);
      built.push(one);
    }
    const peers = await judgePeers(client, data, files);
    const all = [...new Set(peers.flatMap(({ indexes }) => indexes))];
    console.table(
      peers.map(({ name, indexes, bytes, cost }) => ({
        peer: name,
        indexes: indexes.length,
        real_mb: round(bytes / MB, 1),
        cost: round(cost),
      })),
    );
    const rivals = new Map<number, { name: string; bytes: number; cost: number; ms: number }>();
    for (const { budget_mb: megabytes, indexes } of built) {
      // Of what our set really takes: it may have overrun its budget.
      const ours = indexes.reduce((sum, { real_bytes }) => sum + real_bytes, 0);
      const peer = bestPeer(peers, Math.max(megabytes * MB, ours));
      if (!peer) continue;
      const times = await onlyWith(client, peer, all, () => runTimes(client, files));
      rivals.set(megabytes, { name: peer.name, bytes: peer.bytes, cost: peer.cost, ms: total(times) });
    }
    return builtFigures(bare, built, rivals);
  } finally {
    await client.end().catch(() => {});
    await server.stop('immediate');
  }
}
