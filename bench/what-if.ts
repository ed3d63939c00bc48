/**
 * How fast the twin answers, side by side with HypoPG on a real server of the same build: microseconds a question where
 * each has another configuration, and where one configuration is asked about many statements; on one session and on as
 * many as there are cores. Then its boot, and the memory that it takes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { collectSnapshot } from '../src/collect/index.ts';
import {
  type IndexDefinition,
  indexDefinitionSchema,
  type PlannableStatement,
  renderIndexDefinition,
  type Snapshot,
  type WhatIf,
} from '../src/domain/index.ts';
import { type EmbeddedServer, findInstallations, startEmbedded } from '../src/embedded/index.ts';
import { openTarget } from '../src/target/index.ts';
import { openTwin } from '../src/whatif/index.ts';
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';
import { diskUse } from './disk-use.ts';
import { zooSchema } from './twin-schema.ts';
import { zooStatements } from './twin-statements.ts';
import { manyTables } from './what-if-source.ts';

const AS_IS = { created: [], hidden: [] };
/** Statements that are asked about under one configuration: one, as a search's last steps do; many, as its first do. */
const BATCHES = [1, 20, 100];
const CANDIDATES = 80;
/** Candidates of a configuration: none to six. */
const MOST_TOGETHER = 6;

interface Question {
  candidates: number[];
  statement: PlannableStatement;
}

/** An engine as it is driven by one who knows it well. */
interface Driver {
  name: string;
  ask(candidates: readonly number[], statements: readonly PlannableStatement[]): Promise<unknown>;
}

export async function whatIfBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const rows: Record<string, unknown>[] = [];
  const figures: Record<string, Figure> = {};
  const speed = await compareSpeed(options.quick ? 300 : 1000, options.quick ? 3 : 7);
  rows.push(...speed.rows);
  Object.assign(figures, speed.figures);
  const boots: [string, number, number, number, number][] = options.quick
    ? [['100 tables, 2,000 indexes', 100, 20, 100, 2]]
    : [
        ['100 tables, 2,000 indexes', 100, 20, 100, 2],
        ['10,000 tables, 500 of them used', 10_000, 2, 500, 15],
      ];
  for (const [name, tables, indexes, used, aim] of boots) {
    const snapshot = await manyTables(tables, indexes);
    const row = await boot(snapshot, used);
    rows.push({ what: `boot: ${name}`, ...row });
    figures[`boot_s: ${name}`] = { value: row.best_s, unit: 's', aim, better: 'lower' };
    figures[`memory_mb: ${name}`] = { value: row.memory_mb, unit: 'MB', aim: 200, better: 'lower' };
  }
  console.table(rows);
  return { figures, rows };
}

/** Rounds of all drivers in turn, so that a busy moment meets them all; the median of each counts. */
async function compareSpeed(
  count: number,
  rounds: number,
): Promise<{ rows: Record<string, unknown>[]; figures: Record<string, Figure> }> {
  const withHypopg = [15, 14, 16, 17, 18]
    .flatMap((major) => findInstallations(major))
    .find(({ extensions }) => extensions.has('hypopg'));
  const installation = withHypopg ?? findInstallations(18)[0];
  if (!installation) throw new Error('no PostgreSQL is installed here');
  const server = await startEmbedded({
    installation,
    name: 'bench-whatif',
    settings: { autovacuum: 'off', max_wal_size: '2GB' },
  });
  const client = new pg.Client({ connectionString: server.dsn() });
  const twins: WhatIf[] = [];
  try {
    await client.connect();
    for (const script of zooSchema(installation.major, 0.1)) await client.query(script);
    const session = await openTarget(server.dsn(), { applicationName: 'pgluthier-bench', readOnly: true });
    const snapshot = await collectSnapshot(session).finally(() => session.close());
    const definitions = candidateDefinitions(snapshot);
    const drivers: Driver[] = [];
    for (const sessions of [1, undefined]) {
      const twin = await openTwin(snapshot, sessions === undefined ? {} : { sessions });
      twins.push(twin);
      drivers.push(
        await twinDriver(twin, definitions, sessions === 1 ? 'twin, one session' : 'twin, all cores'),
      );
    }
    if (withHypopg) drivers.push(await hypopgDriver(client, definitions));
    else console.log('no installation has hypopg: the twin is measured alone');
    const questions = makeQuestions(count, definitions.length);
    const times = new Map(drivers.map(({ name }) => [name, BATCHES.map((): number[] => [])]));
    for (let round = 0; round < rounds + 1; round += 1) {
      for (const driver of drivers) {
        for (const [position, size] of BATCHES.entries()) {
          const time = await timed(questions.length, async () => {
            for (let start = 0; start < questions.length; start += size) {
              const batch = questions.slice(start, start + size);
              const asked = batch.map(({ statement }) => statement);
              await driver.ask(batch[0]?.candidates ?? [], asked);
            }
          });
          // The first round fills caches.
          if (round > 0) times.get(driver.name)?.[position]?.push(time);
        }
      }
    }
    return report(times);
  } finally {
    for (const twin of twins) await twin.close();
    await client.end();
    await server.stop('immediate');
  }
}

function report(times: Map<string, number[][]>): {
  rows: Record<string, unknown>[];
  figures: Record<string, Figure>;
} {
  const rows: Record<string, unknown>[] = [];
  const figures: Record<string, Figure> = {};
  const hypopg = times.get('hypopg, one session');
  for (const [name, found] of times) {
    const us = found.map((times) => Math.round(median(times)));
    rows.push({
      what: name,
      ...Object.fromEntries(us.map((value, position) => [`us_in_batches_of_${BATCHES[position]}`, value])),
    });
    if (!hypopg || name.startsWith('hypopg')) continue;
    for (const [position, value] of us.entries()) {
      const size = BATCHES[position] ?? 1;
      figures[`${name}: times hypopg, batches of ${size}`] = {
        value: Number((median(hypopg[position] ?? []) / value).toFixed(2)),
        unit: '×',
        aim: name.includes('all') && size > 1 ? 2 : 1,
        better: 'higher',
      };
    }
  }
  return { rows, figures };
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function timed(questions: number, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return ((performance.now() - started) * 1000) / questions;
}

/** B-trees of one and two columns on three tables, which both engines make. */
function candidateDefinitions(snapshot: Snapshot): IndexDefinition[] {
  const columns = snapshot.columns.filter(
    ({ table, type, stats }) =>
      ['orders', 'Account', 'doc'].includes(table) &&
      stats &&
      /^(int|bigint|text|timestamp|numeric|date)/.test(type),
  );
  const definitions: IndexDefinition[] = [];
  for (const first of columns) {
    for (const second of columns) {
      if (first.table_oid !== second.table_oid || first.attnum > second.attnum) continue;
      const keys = (first === second ? [first] : [first, second]).map(({ name }) => ({
        column: name,
        expression: null,
      }));
      const { schema, table } = first;
      definitions.push(
        indexDefinitionSchema.parse({ schema, table, name: `c${definitions.length}`, method: 'btree', keys }),
      );
    }
  }
  return definitions.slice(0, CANDIDATES);
}

/** The same sequence in every run. */
function makeQuestions(count: number, candidates: number): Question[] {
  let state = 7;
  const below = (limit: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * limit);
  };
  const statements = Object.entries(zooStatements).map(([id, sql]) => ({ id, query_id: id, sql, weight: 1 }));
  return Array.from({ length: count }, () => {
    const set = new Set(Array.from({ length: below(MOST_TOGETHER + 1) }, () => below(candidates)));
    const statement = statements[below(statements.length)];
    if (!statement) throw new Error('there are statements');
    return { candidates: [...set], statement };
  });
}

async function twinDriver(
  twin: WhatIf,
  definitions: readonly IndexDefinition[],
  name: string,
): Promise<Driver> {
  const size = { pages: 300, tuples: 10_000, tree_height: 1 };
  const handles = await twin.addIndexes(definitions.map((definition) => ({ definition, size })));
  return {
    name,
    ask: (candidates, statements) =>
      twin.costs({ created: candidates.map((one) => String(handles[one])), hidden: [] }, statements),
  };
}

/** Only what differs is made and dropped; the driver of PostgreSQL alone stands in between. */
async function hypopgDriver(client: pg.Client, definitions: readonly IndexDefinition[]): Promise<Driver> {
  await client.query('CREATE EXTENSION hypopg');
  const texts = definitions.map((definition) => renderIndexDefinition(definition));
  const made = new Map<number, number>();
  return {
    name: 'hypopg, one session',
    async ask(candidates, statements) {
      for (const [one, oid] of made) {
        if (candidates.includes(one)) continue;
        await client.query('SELECT hypopg_drop_index($1)', [oid]);
        made.delete(one);
      }
      for (const one of candidates) {
        if (made.has(one)) continue;
        const { rows } = await client.query('SELECT indexrelid FROM hypopg_create_index($1)', [texts[one]]);
        made.set(one, rows[0].indexrelid);
      }
      for (const { sql } of statements) await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
    },
  };
}

/** Three boots up to the first answer; what one holds of memory, its files there among it. */
async function boot(
  snapshot: Snapshot,
  used: number,
): Promise<Record<string, unknown> & { best_s: number; memory_mb: number }> {
  const statements = Array.from({ length: used }, (_, table) => `SELECT * FROM t${table} WHERE c0 = 3`);
  const seconds: number[] = [];
  let memory_mb = 0;
  for (let round = 0; round < 4; round += 1) {
    const started = performance.now();
    let server: EmbeddedServer | undefined;
    const twin = await openTwin(snapshot, {
      statements,
      inspect: async (found) => {
        server = found;
      },
    });
    const first = statements[0] ?? '';
    const [answer] = await twin.costs(AS_IS, [{ id: 'first', query_id: 'first', sql: first, weight: 1 }]);
    seconds.push((performance.now() - started) / 1000);
    if (answer?.cost == null) throw new Error(answer?.error ?? 'no answer');
    const all = statements.map((sql) => ({ id: sql, query_id: sql, sql, weight: 1 }));
    await twin.costs(AS_IS, all);
    if (server)
      memory_mb = Math.round((memoryOf(server.pid) + (await diskUse(server.dataDirectory))) / 1024 ** 2);
    await twin.close();
  }
  // The first one on a machine runs initdb, too.
  const [first = 0, ...later] = seconds;
  return {
    first_s: Number(first.toFixed(2)),
    best_s: Number(Math.min(...later).toFixed(2)),
    worst_s: Number(Math.max(...later).toFixed(2)),
    memory_mb,
  };
}

/** Proportional share of memory of a server's processes, bytes. */
function memoryOf(postmaster: number): number {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.reduce((sum, pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (Number(pid) !== postmaster && parent !== postmaster) return sum;
      const share = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
      return sum + Number(share?.[1] ?? 0) * 1024;
    } catch {
      return sum;
    }
  }, 0);
}
