/**
 * Sizes that the advisor says and those that PostgreSQL builds, where statistics tell them badly: a database of films
 * whose keys repeat unevenly, advised within budgets of bytes, each set built for real; and single indexes of texts,
 * arrays, documents and shapes.
 */
import pg from 'pg';
import { startEmbedded } from '../src/embedded/index.ts';
import { workloadFromFiles } from '../src/workload/index.ts';
import type { BenchmarkOptions, BenchmarkResult } from './benchmark.ts';
import { advise, buildSet, collect, dropSet } from './built/index.ts';
import { FILM_STATEMENTS, filmsSql } from './index-sizes/films.ts';
import { invertedSizes } from './index-sizes/inverted-sizes.ts';

const MB = 1024 * 1024;
const FILMS = 200_000;
const BUDGETS_MB = [8, 21, 42, 84];

const round = (value: number, digits = 1) => Number(value.toFixed(digits));

const INVERTED_ROWS = 200_000;

/** `--quick`: a tenth of the films and of the texts. */
export async function indexSizesBenchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const films = quick ? FILMS / 10 : FILMS;
  const server = await startEmbedded({
    name: 'bench-sizes',
    settings: {
      autovacuum: 'off',
      maintenance_work_mem: '256MB',
      max_wal_size: '4GB',
      shared_buffers: '512MB',
    },
  });
  const client = new pg.Client({ connectionString: server.dsn() });
  try {
    await client.connect();
    await client.query(filmsSql(films));
    await client.query('VACUUM (ANALYZE)');
    const files = FILM_STATEMENTS.map((sql, at) => ({ name: `q${at + 1}.sql`, text: `${sql};` }));
    const workload = await workloadFromFiles(files);
    const seen = { snapshot: await collect(server.dsn()), window: null, workload };
    const sets: Record<string, unknown>[] = [];
    const indexes: Record<string, unknown>[] = [];
    for (const megabytes of BUDGETS_MB.map((each) => (each * films) / FILMS)) {
      const { result, seconds } = await advise(seen, megabytes * MB);
      const built = await buildSet(client, result.recommendations);
      built.forEach(({ predicted_bytes: said, real_bytes: real, statement }, at) => {
        const range = result.recommendations[at]?.evidence.find(({ name }) => name === 'size, between');
        const off = `${round(100 * (said / real - 1))} %`;
        indexes.push({
          budget_mb: megabytes,
          index: statement.slice(statement.indexOf(' ON ') + 4),
          said_mb: round(said / MB, 2),
          real_mb: round(real / MB, 2),
          off,
          range: range?.value,
        });
      });
      const sum = (of: (index: (typeof built)[number]) => number) =>
        built.reduce((all, each) => all + of(each), 0);
      const real = sum((each) => each.real_bytes);
      sets.push({
        budget_mb: megabytes,
        indexes: built.length,
        said_mb: round(sum((each) => each.predicted_bytes) / MB),
        real_mb: round(real / MB),
        overrun: real > megabytes * MB ? `${round(100 * (real / (megabytes * MB) - 1))} %` : '',
        cost_before: round(result.coverage?.cost_before ?? 0, 0),
        cost_after: round(result.coverage?.cost_after ?? 0, 0),
        seconds: round(seconds),
      });
      await dropSet(client, result.recommendations);
    }
    const inverted = await invertedSizes(server.dsn(), client, quick ? INVERTED_ROWS / 10 : INVERTED_ROWS);
    console.table(sets);
    console.table(indexes);
    console.table(inverted);
    const most = Math.max(...sets.map(({ real_mb, budget_mb }) => Number(real_mb) / Number(budget_mb)));
    return {
      figures: { most_of_budget: { value: round(most, 3), unit: 'real ÷ budget', aim: 1, better: 'lower' } },
      rows: [...sets, ...indexes, ...inverted],
    };
  } finally {
    await client.end();
    await server.stop();
  }
}
