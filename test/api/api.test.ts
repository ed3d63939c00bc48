import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer } from '../support/servers.ts';
import { type TestService, testService } from './service.ts';

const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
CREATE TABLE items (id int PRIMARY KEY, owner int NOT NULL, note text);
INSERT INTO items SELECT g, g % 5000, repeat('x', 60) FROM generate_series(1, 60000) AS g;
VACUUM ANALYZE items;
`;

let service: TestService;
let dsn: string;
let drop: () => Promise<void>;
let targetId: string;
let base: string;

beforeAll(async () => {
  const server = await testServer();
  const database = await server.createDatabase({ sql: SCHEMA.replace('VACUUM ANALYZE items;', '') });
  ({ dsn, drop } = database);
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query('VACUUM ANALYZE items');
  await client.end();
  service = await testService({ TARGET_DSN: dsn });
  const added = await service.ask('POST', '/v1/targets', {
    name: 'items',
    dsn,
    host: { ram_bytes: 16 * 2 ** 30, cpu_count: 4, disk_type: 'ssd' },
  });
  expect(added.status).toBe(201);
  targetId = String(added.body.id);
  base = `/v1/targets/${targetId}`;
});
afterAll(async () => {
  await service.close();
  await drop();
});

async function runStatements(times: number): Promise<void> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  for (let time = 0; time < times; time += 1) {
    await client.query('SELECT id, note FROM items WHERE owner = $1', [time]);
  }
  await client.end();
}

async function analysed(body: Record<string, unknown>): Promise<Record<string, unknown>> {
  const started = await service.ask('POST', `${base}/analyses`, body);
  expect(started.status).toBe(202);
  await service.services.background.idle();
  return (await service.ask('GET', `${base}/analyses/${started.body.id}`)).body;
}

describe('without a right token', () => {
  it('nothing but probes and the description answers', async () => {
    expect((await service.ask('GET', '/v1/targets', undefined, {})).body).toMatchObject({
      status: 401,
      code: 'token_missing',
    });
    const wrong = await service.ask('GET', '/v1/targets', undefined, { authorization: 'Bearer wrong' });
    expect(wrong.body).toMatchObject({ code: 'token_invalid' });
    expect(wrong.headers.get('content-type')).toBe('application/problem+json');
    expect((await service.ask('GET', '/livez', undefined, {})).status).toBe(200);
    expect((await service.ask('GET', '/readyz', undefined, {})).status).toBe(200);
  });
});

describe('the description', () => {
  it('is an OpenAPI document with every route and schema', async () => {
    const { body } = await service.ask('GET', '/openapi.json', undefined, {});
    expect(body.openapi).toBe('3.1.0');
    const paths = Object.keys(body.paths as object);
    for (const path of [
      '/v1/targets',
      '/v1/targets/{target_id}/capabilities',
      '/v1/targets/{target_id}/snapshots',
      '/v1/targets/{target_id}/analyses',
      '/v1/targets/{target_id}/recommendations/{recommendation_id}/approve',
      '/v1/targets/{target_id}/recommendations/{recommendation_id}/dismiss',
      '/v1/targets/{target_id}/recommendations/{recommendation_id}/apply',
      '/v1/targets/{target_id}/applies/{apply_id}',
    ]) {
      expect(paths).toContain(path);
    }
    expect(Object.keys((body.components as { schemas: object }).schemas)).toEqual(
      expect.arrayContaining(['Report', 'Recommendation', 'Problem', 'Target', 'PlanTree']),
    );
  });
});

describe('bad input', () => {
  it.each([
    ['a body that is no JSON', 'POST', '/v1/targets', '{"name":', 400, 'body_malformed'],
    ['a body with missing fields', 'POST', '/v1/targets', {}, 400, 'request_invalid'],
    [
      'a field that does not exist',
      'POST',
      '/v1/targets',
      { name: 'x', dsn: 'y', sql: 'DROP' },
      400,
      'request_invalid',
    ],
    ['a DSN that is none', 'POST', '/v1/targets', { name: 'x', dsn: 'hello' }, 422, 'dsn_invalid'],
    [
      'a dead target',
      'POST',
      '/v1/targets',
      { name: 'x', dsn: 'postgresql://u:geheim@127.0.0.1:1/d' },
      502,
      'target_unreachable',
    ],
    [
      'a reference that leads nowhere',
      'POST',
      '/v1/targets',
      { name: 'x', dsn: 'env:NOT_SET' },
      422,
      'dsn_reference_unresolved',
    ],
    ['an unknown target', 'GET', '/v1/targets/tgt_x/snapshots', undefined, 404, 'target_not_found'],
    ['an unknown route', 'GET', '/v1/nothing', undefined, 404, 'route_not_found'],
    ['a limit out of bounds', 'GET', '/v1/job-runs?limit=0', undefined, 400, 'request_invalid'],
  ])('%s is refused with a code and words', async (_, method, path, body, status, code) => {
    const answer = await service.ask(method, path, body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code, status });
    expect(String(answer.body.detail).length).toBeGreaterThan(10);
    expect(JSON.stringify(answer.body)).not.toContain('geheim');
  });

  it('of an existing target with unknown things below it is refused too', async () => {
    const unknown: [method: string, path: string, body: unknown, code: string][] = [
      ['GET', `${base}/recommendations/rec_x`, undefined, 'recommendation_not_found'],
      [
        'POST',
        `${base}/recommendations/rec_x/approve`,
        { plan_hash: 'a'.repeat(64) },
        'recommendation_not_found',
      ],
      ['POST', `${base}/recommendations/rec_x/apply`, undefined, 'recommendation_not_found'],
      ['GET', `${base}/applies/app_x`, undefined, 'apply_not_found'],
      ['GET', `${base}/analyses/ana_x`, undefined, 'analysis_not_found'],
      ['POST', '/v1/targets', { name: 'items', dsn }, 'target_exists'],
    ];
    for (const [method, path, body, code] of unknown) {
      expect((await service.ask(method, path, body)).body).toMatchObject({ code });
    }
  });

  it('that is too large is refused before it is read', async () => {
    const answer = await service.ask('POST', '/v1/targets', { name: 'x'.repeat(2_000_000), dsn: 'y' });
    expect(answer.body).toMatchObject({ status: 413, code: 'body_too_large' });
  });
});

describe('targets', () => {
  it('are listed without their DSN, by reference or sealed', async () => {
    const path = join(tmpdir(), `pgluthier-dsn-${process.pid}`);
    await writeFile(path, `${dsn}\n`);
    expect((await service.ask('POST', '/v1/targets', { name: 'by file', dsn: `file:${path}` })).status).toBe(
      201,
    );
    expect((await service.ask('POST', '/v1/targets', { name: 'by env', dsn: 'env:TARGET_DSN' })).status).toBe(
      201,
    );
    const { body } = await service.ask('GET', '/v1/targets');
    const items = body.items as { name: string; dsn_source: string }[];
    expect(items.map((item) => item.dsn_source)).toEqual(['env:TARGET_DSN', `file:${path}`, 'sealed']);
    expect(JSON.stringify(body)).not.toContain(encodeURIComponent(dsn.split('host=')[1] ?? '#'));
  });

  it('are paused with a reason and resumed, and say when they are due', async () => {
    const paused = await service.ask('POST', `${base}/pause`, { reason: 'moves to another host' });
    expect(paused).toMatchObject({ status: 200, body: { paused_because: 'moves to another host' } });
    expect((await service.ask('POST', `${base}/pause`, { reason: 'again' })).body.paused_because).toBe(
      'moves to another host',
    );
    expect((await service.ask('POST', `${base}/pause`, {})).status).toBe(400);
    const resumed = await service.ask('POST', `${base}/resume`);
    expect(resumed).toMatchObject({ status: 200, body: { paused_at: null, paused_because: null } });
    expect((await service.ask('POST', '/v1/targets/tgt_none/resume')).status).toBe(404);
    const now = new Date();
    const lease_until = new Date(now.getTime() + 1000);
    await service.services.store.targetSchedule.claim({
      owner: 'x',
      now,
      healthy: 9,
      suspects: 9,
      lease_until,
    });
    const { body } = await service.ask('GET', '/v1/target-schedules');
    const own = (body.items as { target_id: string }[]).find((row) => row.target_id === targetId);
    expect(own).toMatchObject({ lease_owner: 'x', consecutive_failures: 0 });
  });

  it('tell what they let us see', async () => {
    const { body } = await service.ask('GET', `${base}/capabilities`);
    expect(body).toMatchObject({ pg_stat_statements_loaded: true, in_recovery: false });
  });
});

describe('the loop', () => {
  it('goes from snapshots to an applied, verified index, and refuses every step out of order', async () => {
    const none = await analysed({});
    expect(none.error).toMatchObject({ code: 'no_snapshot' });

    const first = await service.ask('POST', `${base}/snapshots`);
    expect(first.body).toMatchObject({ status: 'complete' });
    await runStatements(40);
    const second = await service.ask('POST', `${base}/snapshots`);
    const analysis = await analysed({
      from_snapshot_id: first.body.id,
      to_snapshot_id: second.body.id,
      areas: ['index'],
    });
    expect(analysis.state).toBe('succeeded');
    const report = analysis.report as { recommendations: Record<string, unknown>[] };
    const index = report.recommendations.find((item) => item.rule === 'index/missing');
    expect(index).toMatchObject({
      kind: 'index.create',
      statements: [expect.stringMatching(/^CREATE INDEX CONCURRENTLY .*items.*owner/)],
      rollback: [expect.stringMatching(/^DROP INDEX CONCURRENTLY/)],
    });
    const [affected] = (index?.affects ?? []) as { plan_change?: { changes: { text: string }[] } }[];
    expect(affected?.plan_change?.changes[0]?.text).toMatch(/^items: Seq Scan → .* using items_owner_idx$/);
    const path = `${base}/recommendations/${index?.id}`;

    expect((await service.ask('POST', `${path}/apply`)).body).toMatchObject({
      status: 409,
      code: 'invalid_state_transition',
      state: 'open',
    });
    expect((await service.ask('POST', `${path}/approve`, { plan_hash: 'f'.repeat(64) })).body).toMatchObject({
      status: 409,
      code: 'recommendation_changed',
    });
    expect((await service.ask('POST', `${path}/approve`, { plan_hash: 'short' })).body).toMatchObject({
      code: 'request_invalid',
    });
    const approvals = await Promise.all([
      service.ask('POST', `${path}/approve`, { plan_hash: index?.plan_hash }),
      service.ask('POST', `${path}/approve`, { plan_hash: index?.plan_hash }),
    ]);
    // Of the same person the second is the first, sent again.
    expect(approvals.map((answer) => answer.status)).toEqual([200, 200]);

    const apply = await service.ask('POST', `${path}/apply`);
    expect(apply.status).toBe(202);
    expect(apply.headers.get('location')).toBe(`${base}/applies/${apply.body.id}`);
    await service.services.background.idle();
    const ended = await service.ask('GET', `${base}/applies/${apply.body.id}`);
    expect(ended.body).toMatchObject({ state: 'verifying', outcome: { outcome: 'applied' } });
    expect((ended.body.journal as { state: string }[]).every((entry) => entry.state === 'done')).toBe(true);

    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    const { rows } = await client.query<{ valid: boolean }>(
      "SELECT indisvalid AS valid FROM pg_index WHERE indrelid = 'items'::regclass AND NOT indisprimary",
    );
    await client.end();
    expect(rows).toEqual([{ valid: true }]);

    // Where the machine stalled in one call, the mean is in doubt until many more have come: each look has four times as many.
    let verdict: { verdict?: string } = {};
    for (let part = 0; part < 5 && (part === 0 || verdict.verdict === 'inconclusive'); part += 1) {
      await runStatements(40 * 4 ** part);
      await service.ask('POST', `${base}/snapshots`);
      const verified = await service.ask('POST', `${base}/applies/${apply.body.id}/verify`);
      expect(verified.status, JSON.stringify(verified.body)).toBe(200);
      verdict = verified.body.verdict as typeof verdict;
    }
    expect(verdict).toMatchObject({ verdict: 'succeeded' });
    expect((await service.ask('GET', path)).body.state).toBe('succeeded');
    expect((await service.ask('POST', '/v1/audit/verify')).body).toMatchObject({ ok: true });
    const audit = (await service.ask('GET', `/v1/audit?target_id=${targetId}`)).body.items as {
      action: string;
    }[];
    expect(audit.filter((entry) => entry.action === 'recommendation.approve')).toHaveLength(1);
    expect(audit.map((entry) => entry.action)).toEqual(
      expect.arrayContaining([
        'recommendation.approve',
        'recommendation.start_apply',
        'recommendation.verified',
      ]),
    );
  });

  it('refuses to apply what no longer fits the target', async () => {
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    await client.query('CREATE INDEX twin_a ON items (note); CREATE INDEX twin_b ON items (note)');
    await service.ask('POST', `${base}/snapshots`);
    const analysis = await analysed({ areas: ['index'] });
    const report = analysis.report as { recommendations: Record<string, unknown>[] };
    const drop_ = report.recommendations.find((item) => item.kind === 'index.drop');
    expect(drop_).toBeDefined();
    const path = `${base}/recommendations/${drop_?.id}`;
    await service.ask('POST', `${path}/approve`, { plan_hash: drop_?.plan_hash });
    await client.query('DROP INDEX twin_a; DROP INDEX twin_b');
    await client.end();
    const refused = await service.ask('POST', `${path}/apply`);
    expect(refused.body).toMatchObject({ status: 409, code: 'target_drifted' });
    expect(refused.body).toMatchObject({ approval_void: true });
    expect((await service.ask('GET', path)).body.state).toBe('open');
    expect((await service.ask('POST', `${path}/dismiss`, { reason: 'gone' })).body.state).toBe('dismissed');
  });
});
