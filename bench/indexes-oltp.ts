/**
 * The index advisor's sets for applications, built for real: a shop of five and a half gigabytes and the demo's database. Their
 * workload runs between two snapshots, is advised without and within a budget, and runs again with each set built: time
 * by statement, blocks, throughput of the writes, sizes. A copy without and one with the set take turns.
 */
import pg from 'pg';
import { startDemoTarget } from '../src/demo/index.ts';
import { runWorkload } from '../src/demo/workload.ts';
import { fingerprint } from '../src/workload/index.ts';
import type { BenchmarkOptions, BenchmarkResult } from './benchmark.ts';
import {
  CONNECTIONS,
  drive,
  fillShop,
  shopTemplates,
  shopWrites,
  startShopServer,
  type Template,
} from './oltp/index.ts';
import { indexRows, setFigures, setRow, statementRows } from './oltp-figures.ts';
import { type BuiltSet, builtSets, type PairOptions, type Subject } from './oltp-pairs.ts';

const MB = 1024 * 1024;
/** Of the tables' size, for the set within a budget. */
const BUDGET_SHARE = 0.05;
const FULL: PairOptions = { seen: { part: 0, of: 3 }, slots: 4, of: 16, writePairs: 8 };
const QUICK: PairOptions = { seen: { part: 0, of: 1 }, slots: 4, of: 8, writePairs: 4 };

async function tableBytes(dsn: string): Promise<{ tables: number; all: number }> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    const { rows } = await client.query<{ tables: number; all: number }>(
      `SELECT sum(pg_table_size(c.oid))::float8 AS tables, sum(pg_total_relation_size(c.oid))::float8 AS "all"
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
    );
    return rows[0] ?? { tables: 0, all: 0 };
  } finally {
    await client.end();
  }
}

async function namesOf(templates: readonly Template[]): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const { name, sql } of templates) names.set(await fingerprint(sql), name);
  return names;
}

/** Runs one database through all its sets and prints what came of them. */
async function compared(subject: Subject, names: ReadonlyMap<string, string>, options: PairOptions) {
  const { tables, all } = await tableBytes(subject.server.dsn(subject.database));
  console.log(
    `${subject.name}: ${Math.round(tables / MB)} MB of tables, ${Math.round(all / MB)} MB with indexes`,
  );
  const budgets = [
    { label: 'no budget', bytes: null },
    { label: '5 % of the tables', bytes: Math.round(BUDGET_SHARE * tables) },
  ];
  return builtSets(subject, budgets, options, (set) => {
    console.log(`\n${subject.name}, ${set.label}`);
    for (const { statement, ...numbers } of indexRows(set)) console.log(statement, numbers);
    for (const { change } of set.advice.result.recommendations) {
      if (change.kind === 'index.drop') console.log(`replaced: ${change.definition}`);
    }
    console.table(statementRows(set, names));
  });
}

async function shop(
  scale: number,
  options: PairOptions,
): Promise<{ sets: BuiltSet[]; names: Map<string, string> }> {
  const server = await startShopServer();
  try {
    const started = performance.now();
    await fillShop(server, 'shop', scale);
    console.log(`shop filled in ${Math.round((performance.now() - started) / 1000)} s`);
    const templates = shopTemplates(scale);
    const writes = shopWrites(scale);
    const names = await namesOf(templates);
    const subject: Subject = {
      name: 'shop',
      server,
      database: 'shop',
      work: (dsn, slice) => drive(dsn, templates, { connections: CONNECTIONS, slice, seed: 7 }),
      writes: async (dsn, seed) => {
        const slice = { part: 0, of: 1 };
        const sent = await drive(dsn, writes, { connections: CONNECTIONS, slice, seed: 100 + seed });
        return (1000 * sent.calls) / sent.cpu_ms;
      },
    };
    return { sets: await compared(subject, names, options), names };
  } finally {
    await server.stop('immediate');
  }
}

async function demo(rounds: number, options: PairOptions): Promise<BuiltSet[]> {
  const { server, dsn } = await startDemoTarget((message) => console.log(`demo: ${message}`));
  const database = new URL(dsn).pathname.slice(1);
  try {
    const work: Subject['work'] = (target, { of }) =>
      runWorkload(target, { rounds: rounds / of, connections: CONNECTIONS, progress: () => {} });
    return await compared({ name: 'demo', server, database, work, writes: null }, new Map(), options);
  } finally {
    await server.stop('immediate');
  }
}

/** Shop and demo; servers and their data are gone at the end. `quick`: a fiftieth of the shop alone. */
export async function indexesOltpBenchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const options = quick ? QUICK : FULL;
  const { sets, names } = await shop(quick ? 1 / 50 : 1, options);
  const demoSets = quick ? [] : await demo(16, options);
  const all = [
    ...sets.map((set) => ({ subject: 'shop', set })),
    ...demoSets.map((set) => ({ subject: 'demo', set })),
  ];
  console.table(all.map(({ subject, set }) => setRow(subject, set)));
  const [whole, within] = sets;
  const [demoWhole] = demoSets;
  return {
    rows: all.map(({ subject, set }) => ({
      ...setRow(subject, set),
      index_rows: indexRows(set),
      statement_rows: statementRows(set, names),
    })),
    figures: {
      ...(whole ? setFigures('oltp', whole) : {}),
      ...(within ? setFigures('oltp_budget', within) : {}),
      ...(demoWhole ? setFigures('demo', demoWhole) : {}),
    },
  };
}
