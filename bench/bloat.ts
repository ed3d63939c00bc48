/**
 * Bloat estimates against what VACUUM FULL really leaves, beside the classic estimate in the same run: tables and
 * B-trees of bench/bloat-zoo.ts.
 */
import pg from 'pg';
import { estimateBloat } from '../src/advise/index.ts';
import { collectSnapshot } from '../src/collect/index.ts';
import type { ColumnRow, IndexRow, Snapshot } from '../src/domain/index.ts';
import { availableMajors, startEmbedded } from '../src/embedded/index.ts';
import { openTarget } from '../src/target/index.ts';
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';
import { makeZoo } from './bloat-zoo.ts';
import { classicIndexPages, classicTablePages } from './classic-bloat.ts';

interface Comparison {
  [key: string]: unknown;
  kind: string;
  name: string;
  pages: number;
  rewritten_pages: number;
  /** Percent of the pages now. */
  real: number;
  ours: number | null;
  classic: number;
}

/** Prints each relation and the distribution of errors, in percentage points of bloat. */
export async function bloatBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const majors = availableMajors().filter((major) => [14, 16, 18].includes(major));
  const rows: Comparison[] = [];
  for (const major of options.quick ? majors.slice(-1) : majors) rows.push(...(await compare(major)));
  console.table(rows);
  const figures: Record<string, Figure> = {};
  for (const kind of ['table', 'btree']) {
    const some = rows.filter((row) => row.kind === kind && row.ours !== null);
    for (const estimate of ['ours', 'classic'] as const) {
      const errors = some.map((row) => Math.abs((row[estimate] ?? 0) - row.real)).sort((a, b) => a - b);
      const at = (share: number) => Math.round((errors[Math.ceil(share * errors.length) - 1] ?? 0) * 10) / 10;
      const figure = (value: number): Figure => ({ value, unit: 'points', aim: null, better: 'lower' });
      figures[`${kind} ${estimate} p50`] = figure(at(0.5));
      figures[`${kind} ${estimate} p90`] = figure(at(0.9));
      figures[`${kind} ${estimate} max`] = figure(at(1));
    }
    figures[`${kind} relations`] = { value: some.length, unit: 'relations', aim: 20, better: 'higher' };
  }
  console.table(Object.fromEntries(Object.entries(figures).map(([name, { value }]) => [name, value])));
  return { figures, rows };
}

async function compare(major: number): Promise<Comparison[]> {
  const server = await startEmbedded({
    major,
    name: 'bench-bloat',
    settings: { autovacuum: 'off', max_wal_size: '2GB' },
  });
  const client = new pg.Client({ connectionString: server.dsn() });
  try {
    await makeZoo(server.dsn());
    await client.connect();
    const session = await openTarget(server.dsn(), { applicationName: 'pgluthier-bench', readOnly: true });
    const snapshot = await collectSnapshot(session).finally(() => session.close());
    await client.query('VACUUM FULL');
    const after = await client.query<{ oid: number; pages: number }>(
      "SELECT oid::int8::int4 AS oid, (pg_relation_size(oid) / 8192)::int4 AS pages FROM pg_class WHERE relkind IN ('r', 'i')",
    );
    return comparisons(major, snapshot, new Map(after.rows.map((row) => [row.oid, row.pages])));
  } finally {
    await client.end();
    await server.stop('immediate');
  }
}

function comparisons(major: number, snapshot: Snapshot, after: Map<number, number>): Comparison[] {
  const { relations } = estimateBloat(snapshot, { minimum_bytes: 0 });
  const ours = new Map(relations.map((each) => [each.oid, each.wasted_share]));
  const columnsOf = (oid: number) => snapshot.columns.filter((column) => column.table_oid === oid);
  const row = (kind: string, name: string, oid: number, pages: number, classic: number): Comparison => {
    const rewritten = after.get(oid) ?? 0;
    const percent = (value: number) => Math.round(Math.max(0, value) * 1000) / 10;
    const own = ours.get(oid);
    return {
      major,
      kind,
      name,
      pages,
      rewritten_pages: rewritten,
      real: percent(1 - rewritten / pages),
      ours: own === undefined ? null : percent(own),
      classic: percent(1 - classic / pages),
    };
  };
  return [
    ...snapshot.tables.map((table) =>
      row('table', table.name, table.oid, table.main_pages, classicTablePages(table, columnsOf(table.oid))),
    ),
    ...snapshot.indexes.map((index) =>
      row(
        'btree',
        `${index.name} ${index.definition.split(' USING btree ').at(1)}`,
        index.oid,
        index.main_pages,
        classicIndexPages(index, keyColumns(index, snapshot, columnsOf(index.table_oid))),
      ),
    ),
  ];
}

/** The columns of an index as the classic query finds them: expressions by their own statistics. */
function keyColumns(index: IndexRow, snapshot: Snapshot, columns: readonly ColumnRow[]): ColumnRow[] {
  const included = columns.filter((column) => index.include.includes(column.name));
  const keys = index.key_attnums.map((attnum, position) => {
    const stats = snapshot.schema.expression_stats?.find(
      (each) => each.index_oid === index.oid && each.attnum === position + 1,
    )?.stats;
    const column = columns.find((each) => each.attnum === attnum) ?? columns[0];
    if (column === undefined) throw new Error(`${index.name} is on a table without columns`);
    return stats ? { ...column, stats } : column;
  });
  return [...keys, ...included];
}
