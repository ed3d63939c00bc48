/** An apply followed while it runs, and advice that nobody acts on, through the service. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ApplyProgress, Change } from '../../src/domain/index.ts';
import { lapseRecommendations } from '../../src/pipeline/index.ts';
import { testServer } from '../support/servers.ts';
import { applying, hashOf, index } from './applying.ts';
import { type TestService, testService } from './service.ts';

let service: TestService;
let client: pg.Client;
let drop: () => Promise<void>;
let by: ReturnType<typeof applying>;

beforeAll(async () => {
  const database = await (await testServer()).createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
  drop = database.drop;
  client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  service = await testService();
  const added = await service.ask('POST', '/v1/targets', { name: 'followed', dsn: database.dsn });
  by = applying(service, String(added.body.id));
});
afterAll(async () => {
  await client.end();
  await service.close();
  await drop();
});

it('a long build tells its phase, how much of it is done, and the seconds left: by polling and as a stream', async () => {
  // Each row takes the server 4 ms, in the build alone: ANALYZE would ask for the expression as well.
  await client.query(`
    CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
      IF current_query() LIKE 'CREATE INDEX%' THEN PERFORM pg_sleep(0.004); END IF;
      RETURN $1;
    END $$;
    CREATE TABLE long_built (id int, pad text);
    INSERT INTO long_built SELECT g, repeat('x', 400) FROM generate_series(1, 1200) AS g`);
  const change = index('long_built_slow', 'id', 'long_built');
  if (change.kind !== 'index.create') throw new Error('no index');
  const [key] = change.index.keys;
  if (!key) throw new Error('no key');
  Object.assign(change.index, {
    table: 'long_built',
    keys: [{ ...key, column: null, expression: 'public.slow(id)' }],
  });
  const path = await by.approved('long_built', change);
  const apply = await service.ask('POST', `${path}/apply`);
  expect(apply.status, JSON.stringify(apply.body)).toBe(202);
  const of = `${by.base}/applies/${apply.body.id}`;
  const streaming = service.stream(`${of}/events`);
  const polled: (ApplyProgress | null)[] = [];
  for (let state: unknown = 'queued'; state === 'queued' || state === 'running'; ) {
    const { body } = await service.ask('GET', of);
    polled.push(body.progress as ApplyProgress | null);
    state = body.state;
    await sleep(50);
  }
  const streamed = [...(await streaming).matchAll(/^data: (.*)$/gm)].map(
    ([, data = '']) => (JSON.parse(data) as { progress: ApplyProgress | null }).progress,
  );
  for (const [way, all] of Object.entries({ polled, streamed })) {
    const seen = all.filter((progress) => progress !== null);
    const scan = seen.filter(({ phase }) => phase === 'building index: scanning table');
    expect(scan.length, way).toBeGreaterThanOrEqual(3);
    for (const { done = NaN, total = NaN, unit, fraction } of scan) {
      expect({ unit, fraction }).toEqual({ unit: 'blocks', fraction: done / total });
      expect(total).toBeGreaterThan(50);
    }
    const counts = scan.map(({ done = NaN }) => done);
    expect(counts, way).toEqual(counts.toSorted((a, b) => a - b));
    expect(new Set(counts).size, way).toBeGreaterThanOrEqual(3);
    const left = scan.flatMap(({ eta_seconds }) => eta_seconds ?? []);
    expect(Math.min(...left), way).toBeGreaterThanOrEqual(0);
    // The end comes nearer: what is left of a phase with an even pace is less at its end than at its beginning.
    expect(left.at(-1), way).toBeLessThan(left[0] ?? NaN);
  }
  // Nothing is told before anything was seen.
  expect(polled.find((progress) => progress !== null)).toMatchObject({ eta_seconds: null });
  await client.query('DROP TABLE long_built; DROP FUNCTION slow');
});

it('advice that nobody decided on, and an approval that was not used, expire by the policy; both may be taken up again', async () => {
  await client.query('CREATE TABLE seldom (id int)');
  const analyze: Change = { kind: 'analyze', schema: 'public', table: 'seldom' };
  const vacuum: Change = { ...analyze, kind: 'vacuum', freeze: false, analyze: false };
  const open = await by.propose('not decided', analyze);
  const approved = await by.approved('not used', vacuum);
  await by.policy({ expire_days: 7 });
  const stateOf = async (path: string) => (await service.ask('GET', path)).body.state;
  const { services } = service;
  const days = (count: number) => ({
    ...services,
    now: () => new Date(Date.now() + count * 86_400_000),
  });
  // What the job does each hour.
  expect(await lapseRecommendations(days(6))).toEqual({ woken: 0, expired: 0 });
  expect([await stateOf(open), await stateOf(approved)]).toEqual(['open', 'approved']);
  expect(await lapseRecommendations(days(8))).toEqual({ woken: 0, expired: 2 });
  expect([await stateOf(open), await stateOf(approved)]).toEqual(['expired', 'expired']);
  for (const [path, act] of [
    [open, 'approve'],
    [approved, 'apply'],
  ]) {
    const refused = await service.ask(
      'POST',
      `${path}/${act}`,
      act === 'approve' ? hashOf(analyze) : undefined,
    );
    expect(refused.body, act).toMatchObject({ status: 409, code: 'invalid_state_transition' });
  }
  const [entry] = await services.store.audit.list({ limit: 1, subject_id: 'not used' });
  expect(entry).toMatchObject({ action: 'recommendation.expire', actor: 'time' });
  for (const [path, change] of [
    [open, analyze],
    [approved, vacuum],
  ] as const) {
    expect((await service.ask('POST', `${path}/reopen`)).body.state).toBe('open');
    expect((await service.ask('POST', `${path}/approve`, hashOf(change))).status).toBe(200);
  }
  const apply = await service.ask('POST', `${approved}/apply`);
  expect(apply.status, JSON.stringify(apply.body)).toBe(202);
  expect(await by.ended(apply.body.id)).toMatchObject({ outcome: { outcome: 'applied' } });
});
