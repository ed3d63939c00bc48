/**
 * How many parameters of realistic statements are found to meet a column, get a value from its statistics, and leave a
 * statement that the server plans. TPC-H is normalised by a real server (empty tables), and sampled with the
 * statistics in `--data`; the other sets run against small tables of their own; without `--quick` the demo's too.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { collectSnapshot } from '../src/collect/index.ts';
import { startDemoTarget } from '../src/demo/index.ts';
import { runWorkload } from '../src/demo/workload.ts';
import type { Snapshot, WorkloadQuery } from '../src/domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../src/embedded/index.ts';
import { openTarget } from '../src/target/index.ts';
import {
  sampleStatements,
  usageCatalog,
  workloadFromFiles,
  workloadFromSnapshot,
} from '../src/workload/index.ts';
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';
import { PGBENCH, SHOP, STATEMENTS } from './parameter-statements.ts';
import { tpchSnapshot } from './tpch.ts';

interface Tally {
  set: string;
  statements: number;
  parameters: number;
  /** Meet a column of a table. */
  column: number;
  /** LIMIT and OFFSET: they meet none. */
  limit: number;
  /** Of those that meet a column that is searched: values out of its statistics or what was observed. */
  searched: number;
  sampled: number;
  /** Statements all of whose samples the server plans. */
  planned: number;
  open: string[];
}

/** A column is written, or computed with: its value is not what is looked for. */
const NOT_SEARCHED = new Set(['SET', '+', '-', '*', '/', '%', '||']);

async function collect(dsn: string): Promise<Snapshot> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:bench', readOnly: true });
  return collectSnapshot(session).finally(() => session.close());
}

async function tally(
  set: string,
  queries: readonly WorkloadQuery[],
  snapshot: Snapshot,
  client: pg.Client,
): Promise<Tally> {
  const catalog = await usageCatalog(snapshot);
  const result: Tally = {
    set,
    statements: queries.length,
    parameters: 0,
    column: 0,
    limit: 0,
    searched: 0,
    sampled: 0,
    planned: 0,
    open: [],
  };
  for (const query of queries) {
    const { samples, parameters } = await sampleStatements(query, snapshot, catalog);
    for (const parameter of parameters) {
      result.parameters++;
      if (parameter.operator === 'LIMIT' || parameter.operator === 'OFFSET') result.limit++;
      else if (parameter.column !== null) {
        result.column++;
        if (parameter.operator === null || NOT_SEARCHED.has(parameter.operator)) continue;
        result.searched++;
        if (parameter.source.includes('pg_stats') || parameter.source.includes('statistics public'))
          result.sampled++;
      } else result.open.push(`$${parameter.number} (${parameter.source}) in ${query.query}`);
    }
    let planned = samples.length > 0;
    for (const sample of samples) {
      try {
        await client.query(`explain ${sample.sql}`);
      } catch (error) {
        planned = false;
        result.open.push(`not planned, ${error instanceof Error ? error.message : error}: ${sample.sql}`);
      }
    }
    if (planned) result.planned++;
  }
  return result;
}

async function withDatabase<T>(
  server: EmbeddedServer,
  name: string,
  sql: string,
  work: (client: pg.Client, dsn: string) => Promise<T>,
): Promise<T> {
  const admin = new pg.Client({ connectionString: server.dsn() });
  await admin.connect();
  await admin.query(`create database ${name}`).finally(() => admin.end());
  const client = new pg.Client({ connectionString: server.dsn(name) });
  await client.connect();
  try {
    await client.query(sql);
    return await work(client, server.dsn(name));
  } finally {
    await client.end();
  }
}

/** The statement is one that a server takes. (Drivers declare types that PREPARE by itself could not tell: 42P18.) */
async function check(client: pg.Client, statement: string): Promise<void> {
  try {
    await client.query(`prepare checked as ${statement}`);
    await client.query('deallocate checked');
  } catch (error) {
    if ((error as { code?: string }).code === '42P18') return;
    throw new Error(`${error instanceof Error ? error.message : error}: ${statement}`);
  }
}

async function frameworks(server: EmbeddedServer): Promise<Tally[]> {
  const results: Tally[] = [];
  for (const [schema, sql] of [
    ['pgbench', PGBENCH],
    ['shop', SHOP],
  ] as const) {
    await withDatabase(server, schema, sql, async (client, dsn) => {
      const snapshot = await collect(dsn);
      for (const [set, { statements }] of Object.entries(STATEMENTS).filter(
        ([, each]) => each.schema === schema,
      )) {
        for (const statement of statements) {
          await check(client, statement);
        }
        const { queries } = await workloadFromFiles([{ name: set, text: `${statements.join(';\n')};` }]);
        results.push(await tally(set, queries, snapshot, client));
      }
    });
  }
  return results;
}

/** TPC-H's queries as pg_stat_statements shows them. */
async function tpch(server: EmbeddedServer, data: string): Promise<Tally> {
  const snapshot = await tpchSnapshot(data);
  const tables = snapshot.tables.map(({ oid, name }) => {
    const columns = snapshot.columns.filter((column) => column.table_oid === oid);
    return `create table ${name} (${columns.map((column) => `${column.name} ${column.type}`).join(', ')});`;
  });
  const sql = `create extension pg_stat_statements; ${tables.join('\n')}`;
  return withDatabase(server, 'tpch', sql, async (client, dsn) => {
    for (const file of await readdir(join(data, 'queries'))) {
      await client.query(await readFile(join(data, 'queries', file), 'utf8'));
    }
    const { queries } = await workloadFromSnapshot(await collect(dsn));
    // Empty tables returned nothing: that is no evidence of the values.
    const unseen = queries.map((query) => ({ ...query, calls: 0, rows: 0 }));
    return tally('TPC-H', unseen, snapshot, client);
  });
}

async function demo(): Promise<Tally> {
  const { server, dsn } = await startDemoTarget(() => {});
  const client = new pg.Client({ connectionString: dsn });
  try {
    await client.connect();
    await client.query('create extension if not exists pg_stat_statements');
    // What loaded the sample data is no part of its workload.
    await client.query('select pg_stat_statements_reset()');
    await runWorkload(dsn, { rounds: 3, connections: 1, progress: () => {} });
    const snapshot = await collect(dsn);
    const { queries } = await workloadFromSnapshot(snapshot);
    const app = queries.filter((query) => query.query.includes('app.'));
    return await tally('the demo', app, snapshot, client);
  } finally {
    await client.end();
    await server.stop('immediate');
  }
}

const percent = (part: number, whole: number) =>
  whole === 0 ? null : Math.round((part / whole) * 1000) / 10;

/** Runs the sets and prints the table. */
export async function parametersBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const results: Tally[] = [];
  const server = await startEmbedded({
    name: 'bench-parameters',
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  });
  try {
    results.push(...(await frameworks(server)));
    if (options.data !== null) results.push(await tpch(server, options.data));
  } finally {
    await server.stop('immediate');
  }
  if (!options.quick) results.push(await demo());
  console.log(
    '| statements of | statements | parameters | meet a column | LIMIT, OFFSET | other | of searched columns: from statistics | planned |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const each of results) {
    const other = each.parameters - each.column - each.limit;
    console.log(
      `| ${each.set} | ${each.statements} | ${each.parameters} | ${each.column} | ${each.limit} | ${other} | ${each.sampled} of ${each.searched} | ${each.planned} |`,
    );
  }
  console.log('\nWithout a column, or not planned:');
  for (const each of results)
    for (const line of each.open) console.log(`- ${each.set}: ${line.replaceAll('\n', ' ')}`);
  const sum = (read: (each: Tally) => number) => results.reduce((all, each) => all + read(each), 0);
  const figure = (value: number | null, aim: number): Figure => ({ value, unit: '%', aim, better: 'higher' });
  return {
    figures: {
      parameters_resolved_pct: figure(
        percent(
          sum((each) => each.column + each.limit),
          sum((each) => each.parameters),
        ),
        90,
      ),
      parameters_sampled_pct: figure(
        percent(
          sum((each) => each.sampled),
          sum((each) => each.searched),
        ),
        90,
      ),
      statements_planned_pct: figure(
        percent(
          sum((each) => each.planned),
          sum((each) => each.statements),
        ),
        100,
      ),
    },
    rows: results.map(({ open: _open, ...row }) => ({ ...row })),
  };
}
