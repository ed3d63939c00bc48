/** Analyses with given statements and limits, and a night after a decision, through the API. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Recommendation, type Report, reportSchema } from '../../src/domain/index.ts';
import { testServer } from '../support/servers.ts';
import { type TestService, testService } from './service.ts';

const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
CREATE TABLE items (id int PRIMARY KEY, owner int NOT NULL, place int, note text);
INSERT INTO items SELECT g, g * 7919 % 5000, g * 31 % 3000, repeat('x', 60) FROM generate_series(1, 40000) AS g;
`;

let service: TestService;
let client: pg.Client;
let drop: () => Promise<void>;
let base: string;

beforeAll(async () => {
  const database = await (await testServer()).createDatabase({ sql: SCHEMA });
  ({ drop } = database);
  client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  await client.query('VACUUM ANALYZE items');
  service = await testService();
  const added = await service.ask('POST', '/v1/targets', { name: 'items', dsn: database.dsn });
  base = `/v1/targets/${added.body.id}`;
  await service.ask('POST', `${base}/snapshots`);
});
afterAll(async () => {
  await service.close();
  await client.end();
  await drop();
});

async function analysed(body: Record<string, unknown>): Promise<Report> {
  const started = await service.ask('POST', `${base}/analyses`, body);
  expect(started.status, JSON.stringify(started.body)).toBe(202);
  await service.services.background.idle();
  const { report, error } = (await service.ask('GET', `${base}/analyses/${started.body.id}`)).body;
  expect(error).toBeNull();
  return reportSchema.parse(report);
}

const listed = async (query = '') =>
  (await service.ask('GET', `${base}/recommendations${query}`)).body.items as Recommendation[];

describe('given statements', () => {
  it('are weighed and planned, and nothing of them can be approved', async () => {
    const workload = [
      { name: 'by owner', sql: 'SELECT note FROM items WHERE owner = $1', calls: 40 },
      { sql: 'SELECT note FROM items WHERE place = 3; -- calls: 7\nSELECT 1' },
    ];
    const limits = { index_budget_bytes: 300 * 2 ** 20, max_regression: 0.1, time_limit_seconds: 60 };
    const report = await analysed({ workload, ...limits });
    expect(report.window.source).toBe('files');
    const calls = report.recommendations.flatMap(({ affects }) => affects).map((one) => one.calls);
    expect(calls.toSorted((a, b) => a - b)).toEqual([7, 40]);
    expect(report.recommendations.every(({ rule }) => rule.startsWith('index/'))).toBe(true);
    const ids = report.recommendations.map(({ id }) => id);
    expect((await service.ask('GET', `${base}/recommendations/${ids[0]}`)).body).toMatchObject({
      code: 'recommendation_not_found',
    });
    const one = await analysed({ workload, max_indexes_per_table: 2 });
    expect(one.recommendations).toHaveLength(1);
  });

  it.each([
    [{ workload: [] }, 400, 'request_invalid'],
    [{ workload: [{ sql: '' }] }, 400, 'request_invalid'],
    [{ workload: [{ sql: 'SELECT 1', calls: 0 }] }, 400, 'request_invalid'],
    [{ workload: [{ sql: 'SELECT 1', speed: 1 }] }, 400, 'request_invalid'],
    [{ workload: [{ sql: `SELECT ${' '.repeat(100_000)}1` }] }, 400, 'request_invalid'],
    [{ workload: [{ sql: '-- nothing' }] }, 422, 'workload_empty'],
    [{ workload: [{ sql: '-- calls: many\nSELECT 1' }] }, 422, 'workload_calls_invalid'],
    [{ workload: [{ sql: '\\d items' }] }, 422, 'workload_psql_command'],
    [{ workload: [{ sql: "SELECT 'x" }] }, 422, 'workload_file_unreadable'],
    [{ workload: [{ sql: 'SELECT 1' }], what_if: 'hypopg' }, 422, 'workload_needs_twin'],
    [{ max_regression: -0.1 }, 400, 'request_invalid'],
    [{ max_regression: '10%' }, 400, 'request_invalid'],
    [{ max_indexes_per_table: 0 }, 400, 'request_invalid'],
    [{ max_indexes_per_table: 2.5 }, 400, 'request_invalid'],
    [{ time_limit_seconds: 0 }, 400, 'request_invalid'],
    [{ time_limit_seconds: 1e9 }, 400, 'request_invalid'],
  ])('a body that is wrong is refused (%#)', async (body, status, code) => {
    const answer = await service.ask('POST', `${base}/analyses`, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});

describe('night after night', () => {
  const day = async (owners: number, places = 0) => {
    const first = await service.ask('POST', `${base}/snapshots`);
    for (let time = 0; time < owners; time += 1)
      await client.query('SELECT * FROM items WHERE owner = $1', [time]);
    for (let time = 0; time < places; time += 1)
      await client.query('SELECT * FROM items WHERE place = $1', [time]);
    const second = await service.ask('POST', `${base}/snapshots`);
    return { from_snapshot_id: first.body.id, to_snapshot_id: second.body.id, areas: ['index'] };
  };

  it('advice is the same one; dismissed it stays away, and what is gone is superseded with its reason', async () => {
    await analysed(await day(40, 20));
    const first = await listed('?state=open');
    expect(first).toHaveLength(2);
    await analysed(await day(30, 25));
    // Which of the two saves more is a matter of their times, which the machine has a hand in.
    const again = (await listed('?state=open')).map(({ id }) => id);
    expect(again.toSorted()).toEqual(first.map(({ id }) => id).toSorted());

    const owner = first.find(({ key }) => key.includes('(owner'));
    const place = first.find(({ key }) => key.includes('(place'));
    const [affected] = owner?.affects ?? [];
    expect(affected?.calls_per_day).toBeGreaterThan(40);
    expect(affected?.parameters?.[0]).toMatchObject({ number: 1, column: 'public.items.owner' });
    expect(owner?.estimate.build_seconds).toBeGreaterThan(0);

    await service.ask('POST', `${base}/recommendations/${place?.id}/dismiss`, { reason: 'rarely asked' });
    const third = await analysed(await day(35, 22));
    expect(third.recommendations.map(({ id }) => id)).toEqual([owner?.id]);
    const rejection = third.rejections.find(({ code }) => code === 'dismissed');
    expect(rejection?.reason).toMatch(/dismissed by token:\w+ on .*\(rarely asked\)/);

    // The one that was dismissed is most of the work now; nobody asks for the other any more.
    const fourth = await analysed(await day(0, 60));
    expect(fourth.recommendations.map(({ id }) => id)).toEqual([place?.id]);
    const states = new Map((await listed()).map(({ id, state }) => [id, state]));
    expect([states.get(place?.id ?? ''), states.get(owner?.id ?? '')]).toEqual(['open', 'superseded']);
    const agreed = { plan_hash: owner?.plan_hash };
    expect(
      (await service.ask('POST', `${base}/recommendations/${owner?.id}/approve`, agreed)).body,
    ).toMatchObject({ status: 409, code: 'invalid_state_transition' });
    const audit = (await service.ask('GET', '/v1/audit')).body.items as {
      action: string;
      details: { reason?: string };
    }[];
    const reasons = audit.flatMap(({ action, details }) =>
      details.reason ? [`${action}: ${details.reason}`] : [],
    );
    expect(reasons).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^recommendation.reopen: evidence changed: it saves/),
        expect.stringMatching(/^recommendation.supersede: no longer proposed: /),
      ]),
    );
  });

  it('advice stays open where an analysis saw no statement to judge it by', async () => {
    const before = await listed('?state=open');
    expect(before).toHaveLength(1);
    const report = await analysed(await day(0));
    expect(report.limits.map(({ code }) => code)).toContain('no_workload');
    expect((await listed('?state=open')).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  });
});
