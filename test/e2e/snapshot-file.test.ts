import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Report, reportSchema } from '../../src/domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { runCli, runCliHere } from './run-cli.ts';

let directory: string;
/** Of its own: it is stopped. */
let server: EmbeddedServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgluthier-export-'));
  await chmod(directory, 0o711);
  server = await startEmbedded({
    name: 'test-export',
    light: 'disk',
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  });
});
afterAll(async () => {
  await server?.stop('immediate');
  await rm(directory, { recursive: true, force: true });
});

/** Values that are nobody else's business. */
const PERSON = 'anneliese.mustermann@example.org';

const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
-- The notes are too wide for an index: whether one should cover a statement would be a matter of next to nothing.
CREATE TABLE person (id int PRIMARY KEY, email text NOT NULL, born date NOT NULL, city text NOT NULL, note text NOT NULL);
INSERT INTO person SELECT g, CASE WHEN g % 50 = 0 THEN '${PERSON}' ELSE 'p' || g || '@example.org' END,
  date '1950-01-01' + g % 20000, CASE WHEN g % 3 = 0 THEN 'Gotham' ELSE 'City ' || g % 900 END, repeat('p', 100)
  FROM generate_series(1, 60000) AS g;
CREATE TABLE visit (person_id int NOT NULL, at timestamptz NOT NULL, pages int NOT NULL, note text NOT NULL);
INSERT INTO visit SELECT g % 60000, timestamptz '2026-01-01' + g * interval '1 minute', g % 30, repeat('n', 100)
  FROM generate_series(1, 200000) AS g;
VACUUM ANALYZE;
SELECT pg_stat_statements_reset();
`;

async function work(): Promise<void> {
  const client = new pg.Client({ connectionString: server.dsn('postgres') });
  await client.connect();
  try {
    for (let n = 0; n < 30; n += 1) {
      await client.query('SELECT id, note FROM person WHERE email = $1', [`p${n}@example.org`]);
      await client.query('SELECT sum(pages), max(note) FROM visit WHERE person_id = $1 AND at > $2', [
        n,
        '2026-02-01',
      ]);
      await client.query(
        `SELECT count(*) FROM person WHERE city = 'Gotham' AND born = '1977-07-0${1 + (n % 9)}'`,
      );
    }
  } finally {
    await client.end();
  }
}

/** Until a session that collects has come and gone. */
async function firstLookEnded(): Promise<void> {
  const client = new pg.Client({ connectionString: server.dsn('postgres') });
  await client.connect();
  for (let come = false, here = false; !come || here; await sleep(10)) {
    const { rows } = await client.query(
      "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgluthier:collect') AS here",
    );
    here = rows[0].here;
    come ||= here;
  }
  await client.end();
}

async function analyze(args: string[], run = runCliHere): Promise<Report> {
  const { code, out, err } = await run(directory, ['analyze', ...args, '--json', '--only', 'index']);
  expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
  return reportSchema.parse(JSON.parse(out)) as Report;
}

const keys = (report: Report) => report.recommendations.map(({ key }) => key).sort();
/** In an order of their own: which comes first is a matter of measured times. */
const costs = (report: Report) =>
  report.recommendations
    .map(({ key, estimate }) => ({ key, ...estimate }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));

it('gives, with no database at all, the advice that the database itself gives', async () => {
  const dsn = server.dsn('postgres');
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  for (const statement of SCHEMA.split(';').filter((text) => text.trim() !== ''))
    await client.query(statement);
  await client.end();
  await work();
  const file = (name: string) => join(directory, name);
  const exported = async (run: typeof runCli, name: string, ...args: string[]) =>
    expect(await run(directory, ['export', dsn, '-o', file(name), ...args])).toMatchObject({ code: 0 });

  const direct = await analyze([dsn]);
  await exported(runCli, 'whole.snapshot');
  await exported(runCliHere, 'stripped.snapshot', '--strip', 'literals');
  const watching = exported(runCliHere, 'window.snapshot', '--window', '6');
  await firstLookEnded();
  await work();
  await watching;
  expect((await stat(file('whole.snapshot'))).mode & 0o777).toBe(0o600);
  expect(await runCliHere(directory, ['export', dsn, '-o', file('whole.snapshot')])).toMatchObject({
    err: expect.stringContaining('There is a file') as string,
  });

  await server.stop('immediate');
  const unreachable = await runCliHere(directory, ['analyze', dsn, '--json']);
  expect(unreachable.code).not.toBe(0);

  expect(keys(direct).length).toBeGreaterThanOrEqual(2);
  const whole = await analyze(['--snapshot', file('whole.snapshot')], runCli);
  expect(costs(whole)).toEqual(costs(direct));

  const stripped = await analyze(['--snapshot', file('stripped.snapshot')]);
  expect(keys(stripped)).toEqual(keys(direct));
  expect(JSON.stringify(stripped)).not.toMatch(/mustermann|Gotham|example\.org/);
  expect(stripped.limits.map(({ code }) => code)).toContain('snapshot_file_stripped');
  for (const [position, { estimate }] of stripped.recommendations.entries()) {
    const other = direct.recommendations.find(({ key }) => key === stripped.recommendations[position]?.key);
    const saved = (estimate.cost_before ?? 0) - (estimate.cost_after ?? 0);
    const expected = (other?.estimate.cost_before ?? 0) - (other?.estimate.cost_after ?? 0);
    expect(Math.abs(saved - expected)).toBeLessThan(0.25 * expected);
  }

  const window = await analyze(['--snapshot', file('window.snapshot')]);
  expect(window.window).toMatchObject({ source: 'window' });
  expect(window.window.seconds).toBeGreaterThan(5);
  expect(keys(window)).toEqual(keys(direct));

  const text = await runCliHere(directory, [
    'analyze',
    '--snapshot',
    file('whole.snapshot'),
    '--only',
    'index',
  ]);
  expect(text).toMatchObject({
    code: 0,
    out: expect.stringContaining('CREATE INDEX CONCURRENTLY') as string,
  });
}, 180_000);
