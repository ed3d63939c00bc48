/** The scorecard over HTTP: of a window, against a baseline, by thresholds of the target. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scorecardComparisonSchema, scorecardSchema } from '../../src/domain/index.ts';
import { testServer } from '../support/servers.ts';
import { type TestService, testService } from './service.ts';

const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
CREATE TABLE items (id int PRIMARY KEY, owner int NOT NULL, note text);
INSERT INTO items SELECT g, g % 5000, repeat('x', 60) FROM generate_series(1, 20000) AS g;
`;

let service: TestService;
let dsn: string;
let drop: () => Promise<void>;
let base: string;
const snapshots: string[] = [];

async function work(statement: string, times: number): Promise<void> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  for (let time = 0; time < times; time += 1) await client.query(statement, [time]);
  await client.query('SELECT pg_stat_force_next_flush()');
  await client.end();
}

async function snapshot(): Promise<void> {
  const { body, status } = await service.ask('POST', `${base}/snapshots`);
  expect(status).toBe(201);
  snapshots.push(String(body.id));
}

const windowOf = (from: number, to: number) =>
  `from_snapshot_id=${snapshots[from]}&to_snapshot_id=${snapshots[to]}`;

beforeAll(async () => {
  const server = await testServer();
  ({ dsn, drop } = await server.createDatabase({ sql: SCHEMA }));
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query('VACUUM ANALYZE items');
  await client.end();
  service = await testService();
  const added = await service.ask('POST', '/v1/targets', { name: 'items', dsn, host: { cpu_count: 4 } });
  base = `/v1/targets/${added.body.id}`;
});
afterAll(async () => {
  await service.close();
  await drop();
});

describe('the scorecard', () => {
  it('wants a snapshot, and a target', async () => {
    expect((await service.ask('GET', `${base}/scorecard`)).body).toMatchObject({
      status: 409,
      code: 'no_snapshot',
    });
    const gone = await service.ask('GET', '/v1/targets/tgt_none/scorecard');
    expect(gone.body).toMatchObject({ status: 404, code: 'target_not_found' });
  });

  it('is of a window, with evidence, grades and the checklist', async () => {
    await snapshot();
    await work('SELECT note FROM items WHERE id = $1', 600);
    await snapshot();
    const { status, body } = await service.ask('GET', `${base}/scorecard?${windowOf(0, 1)}`);
    expect(status).toBe(200);
    expect(body.comparison).toBeNull();
    const scorecard = scorecardSchema.parse(body.scorecard);
    expect(scorecard.window.source).toBe('window');
    const p99 = scorecard.metrics.find(({ id }) => id === 'statement_p99_ms');
    expect(p99).toMatchObject({ level: 'estimated', grade: 'target', provisional: true });
    expect(scorecard.limits.map(({ code }) => code)).toContain('statistics_young');
    const answers = Object.fromEntries(scorecard.checklist.map(({ id, answer }) => [id, answer]));
    expect(answers).toMatchObject({
      statements_tracked: 'yes',
      baseline_established: 'no',
      indexes_for_queries: 'unknown',
    });
  });

  it('knows the last analysis, and not one of statements that a client made up', async () => {
    const ask = async (body: unknown) => {
      await service.ask('POST', `${base}/analyses`, body);
      await service.services.background.idle();
      const { body: answer } = await service.ask('GET', `${base}/scorecard?${windowOf(0, 1)}`);
      const { checklist } = scorecardSchema.parse(answer.scorecard);
      return checklist.find(({ id }) => id === 'indexes_for_queries')?.answer;
    };
    const made_up = { workload: [{ sql: 'SELECT note FROM items WHERE owner = 4' }] };
    expect(await ask(made_up)).toBe('unknown');
    await work('SELECT note FROM items WHERE owner = $1', 60);
    await snapshot();
    const ends = { from_snapshot_id: snapshots[0], to_snapshot_id: snapshots[2] };
    expect(await ask({ areas: ['index'], ...ends })).toBe('no');
  });
});

describe('a baseline', () => {
  it('is saved from a window, once under a name, and read back', async () => {
    const ends = { from_snapshot_id: snapshots[0], to_snapshot_id: snapshots[1] };
    const saved = await service.ask('POST', `${base}/scorecard/baselines`, {
      name: 'before release',
      ...ends,
    });
    expect(saved.status).toBe(201);
    expect(saved.headers.get('location')).toBe(`${base}/scorecard/baselines/before%20release`);
    const again = await service.ask('POST', `${base}/scorecard/baselines`, { name: 'before release' });
    expect(again.body).toMatchObject({ status: 409, code: 'baseline_exists' });
    const read = await service.ask('GET', saved.headers.get('location') ?? '');
    expect(read.body).toEqual(saved.body);
    const { body } = await service.ask('GET', `${base}/scorecard/baselines`);
    expect(body.items).toEqual([
      { name: 'before release', saved_at: saved.body.saved_at, actor: saved.body.actor },
    ]);
  });

  it('is compared with a later window: what was made slower is worse', async () => {
    await snapshot();
    await work('SELECT pg_sleep(0.02) FROM items WHERE id = $1 + 1', 120);
    await snapshot();
    const { body } = await service.ask(
      'GET',
      `${base}/scorecard?${windowOf(3, 4)}&baseline=before%20release`,
    );
    const comparison = scorecardComparisonSchema.parse(body.comparison);
    const mean = comparison.metrics.find(({ id }) => id === 'statement_mean_ms');
    expect(mean).toMatchObject({ verdict: 'worse', grade_before: 'target' });
    expect(mean?.now).toBeGreaterThan(20);
    expect(comparison.baseline.name).toBe('before release');
    const none = await service.ask('GET', `${base}/scorecard?baseline=nothing`);
    expect(none.body).toMatchObject({ status: 404, code: 'baseline_not_found' });
  });

  it('is forgotten', async () => {
    const path = `${base}/scorecard/baselines/before%20release`;
    expect((await service.ask('DELETE', path)).status).toBe(204);
    expect((await service.ask('DELETE', path)).body).toMatchObject({ code: 'baseline_not_found' });
  });

  it.each(['', ' x', 'a/b', 'x'.repeat(101), '\u0000'])('is not named %j', async (name) => {
    const { body } = await service.ask('POST', `${base}/scorecard/baselines`, { name });
    expect(body).toMatchObject({ status: 400, code: 'request_invalid' });
  });
});

describe('thresholds', () => {
  it('are the defaults until some are set, and then grade', async () => {
    const path = `${base}/scorecard/thresholds`;
    const before = await service.ask('GET', path);
    expect(before.body.thresholds).toEqual({});
    expect(before.body.in_force).toContainEqual(
      expect.objectContaining({
        metric: 'statement_mean_ms',
        bounds: { target: 10, acceptable: 50, critical: 100 },
      }),
    );
    const thresholds = {
      statement_mean_ms: { target: 1e-6, acceptable: 2e-6, critical: 3e-6 },
      cache_hit_ratio: null,
    };
    expect((await service.ask('PUT', path, thresholds)).body.thresholds).toEqual(thresholds);
    const { body } = await service.ask('GET', `${base}/scorecard?${windowOf(0, 1)}`);
    const scorecard = scorecardSchema.parse(body.scorecard);
    expect(scorecard.overall).toBe('critical');
    expect(scorecard.metrics.find(({ id }) => id === 'cache_hit_ratio')?.grade).toBe('ungraded');
    expect((await service.ask('PUT', path, {})).body.thresholds).toEqual({});
  });

  it.each([
    ['out of order', { statement_mean_ms: { target: 3, acceptable: 2, critical: 1 } }],
    ['of no metric', { speed: null }],
    ['of a share beyond 1', { cache_hit_ratio: { target: 80, acceptable: 60, critical: 40 } }],
    ['with more than three', { statement_mean_ms: { target: 1, acceptable: 2, critical: 3, worst: 4 } }],
    ['that are no numbers', { statement_mean_ms: { target: '1', acceptable: 2, critical: 3 } }],
  ])('%s are refused, with the place', async (_, thresholds) => {
    const { body } = await service.ask('PUT', `${base}/scorecard/thresholds`, thresholds);
    expect(body).toMatchObject({ status: 400, code: 'request_invalid' });
    expect((body.errors as unknown[]).length).toBeGreaterThan(0);
  });
});

it('the description has the routes and the shapes', async () => {
  const { body } = await service.ask('GET', '/openapi.json', undefined, {});
  const paths = Object.keys(body.paths as object);
  for (const end of ['', '/thresholds', '/baselines', '/baselines/{name}'])
    expect(paths).toContain(`/v1/targets/{target_id}/scorecard${end}`);
  expect(Object.keys((body.components as { schemas: object }).schemas)).toEqual(
    expect.arrayContaining(['Scorecard', 'ScorecardComparison', 'ScorecardBaseline', 'ScorecardThresholds']),
  );
});
