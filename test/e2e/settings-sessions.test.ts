/**
 * What rests on the sessions of a server, by sessions that are really there: max_connections is lowered, a role that
 * spilled is then given what it needs, and its spills end; and none of it where those sessions are in use.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule as maxConnections } from '../../src/advise/rules/settings/max-connections.ts';
import { rule as pooling } from '../../src/advise/rules/settings/pooling.ts';
import type { ActivityPoint, Rule, Snapshot } from '../../src/domain/index.ts';
import { advisedOn } from '../pipeline/advised.ts';
import { testMajors } from '../support/servers.ts';
import { contextOf, GB } from '../support/snapshot-builder.ts';
import { concurrency, sample, sessionsOn } from './sessions.ts';
import { advise, find, type Side, settingsServer, verdict } from './settings-server.ts';

const SORT = 'SELECT id, note FROM big ORDER BY note OFFSET 99999';
const LOOK_UP = 'SELECT count(*) FROM big WHERE id = 7';
const RULES = [
  'settings/max-connections',
  'settings/pooling',
  'settings/work-mem',
  'settings/work-mem-role',
  'settings/hash-mem-multiplier',
];

const withSamples = (side: Side, points: readonly ActivityPoint[]): Side => ({
  ...side,
  window: { ...side.window, concurrency: concurrency(points) },
});

async function refusal(rule: Rule, { window, workload }: Side, snapshot: Snapshot): Promise<unknown> {
  const { recommendations, rejections } = await rule.evaluate(contextOf(snapshot, { window, workload }));
  return recommendations.length > 0 ? 'proposed' : rejections[0]?.code;
}

const spilled = ({ window }: Side) =>
  window.statements
    .filter(({ user }) => user === 'reports')
    .reduce((sum, row) => sum + row.temp_blks_written, 0);

const ends = [Math.min(...testMajors), Math.max(...testMajors)];

describe.each([...new Set(ends)])('PostgreSQL %i', (major) => {
  let server: Awaited<ReturnType<typeof settingsServer>>;
  let sessions: ReturnType<typeof sessionsOn>;
  beforeAll(async () => {
    // Between what 300 connections leave a role and what it needs.
    const settings = { max_connections: '300', work_mem: '8MB', autovacuum_work_mem: '64MB' };
    server = await settingsServer(major, { settings, ram_bytes: 12 * GB });
    await server.run('ALTER ROLE reports SET max_parallel_workers_per_gather = 0');
    sessions = sessionsOn(server.dsn);
  });
  afterAll(async () => {
    await sessions?.endAll();
    await server?.stop();
  });

  test('many connections of which few are used: lowered by hand, then a role is given what ends its spills', async () => {
    await sessions.connect('app', 48, 'idle');
    await sessions.connect('app', 12, 'working');
    await sessions.connect('reports', 1, 'working');
    await sessions.connect('reports', 1, 'holding a cursor');
    const points = await sample(server.dsn, 500);
    expect(concurrency(points)).toMatchObject({ total_max: 62, active_p95: 13, idle_in_transaction_p95: 1 });
    const first = withSamples(await server.watch(['reports', SORT], ['app', LOOK_UP]), points);
    const night1 = await advise(first, RULES);

    // Nothing to be had for the role while the budget counts 300.
    expect(night1.rejections).toContainEqual(
      expect.objectContaining({ rule: 'settings/work-mem-role', code: 'memory_budget' }),
    );
    const fewer = find(night1, 'settings/max-connections', 'max_connections');
    expect(fewer.setting).toMatchObject({ value: '100', restart: true });
    expect(fewer.rationale).toMatch(/Statements of reports spill and want about \d+MB of work_mem/);
    const gain = fewer.evidence.find(({ name }) =>
      name.startsWith('work_mem that the budget leaves role reports'),
    );
    expect(gain?.formula).toContain('the more of 2 × 2 sessions of this role at work and 2 connected');
    const pool = night1.recommendations.find(({ rule }) => rule === 'settings/pooling');
    expect(pool?.title).toBe('62 connections for 13 that work: a pool of 16 would do');
    expect(pool?.risk.notes[0]).toContain('default_pool_size = 16');

    // The traps: the same samples and more sessions now; as many sessions that work.
    await sessions.connect('app', 90, 'idle');
    const crowded = await server.look();
    expect(await refusal(maxConnections, first, first.snapshot)).toBe('proposed');
    expect(await refusal(maxConnections, first, crowded)).toBe('used');
    const once = withSamples(first, [...points, ...(await sample(server.dsn, 1))]);
    expect(await refusal(maxConnections, once, first.snapshot)).toBe('used');
    await sessions.work(40);
    const atWork = withSamples(first, await sample(server.dsn, 60));
    expect(await refusal(pooling, first, crowded)).toBe('proposed');
    expect(await refusal(pooling, atWork, crowded)).toBe('mostly_active');
    await sessions.endAll();

    // As a person does it.
    const text = fewer.by_hand?.find(({ dialect }) => dialect === 'sql')?.text ?? '';
    expect(text).toContain('ALTER SYSTEM SET max_connections = ');
    for (const line of text.split('\n')) if (line.endsWith(';')) await server.run(line);
    await server.restart();
    expect((await server.run('SHOW max_connections')).rows).toEqual([{ max_connections: '100' }]);

    await sessions.connect('app', 48, 'idle');
    await sessions.connect('app', 12, 'working');
    await sessions.connect('reports', 2, 'holding a cursor');
    const later = await sample(server.dsn, 30);
    const before = withSamples(await server.watch(['reports', SORT], ['app', LOOK_UP]), later);
    expect(spilled(before)).toBeGreaterThan(1000);
    const night2 = await advise(before, RULES);
    expect(night2.rejections).toContainEqual(expect.objectContaining({ rule: 'settings/max-connections' }));
    const advice = find(night2, 'settings/work-mem-role', 'work_mem');
    // What was promised.
    expect(advice.setting?.value).toBe(`${Number(gain?.value) / 1024 ** 2}MB`);
    expect(advice.evidence).toContainEqual(
      expect.objectContaining({ name: 'sessions of the role reckoned with', value: 4 }),
    );
    expect(advice.evidence).toContainEqual(
      expect.objectContaining({
        name: 'most sessions of the role at work',
        value: 2,
        level: 'measured',
        source: 'pg_stat_activity, 30 samples, 30 of which met the role at work',
      }),
    );
    await sessions.endAll();

    const at = await advisedOn(server.dsn, async () => {});
    try {
      expect(await at.applyNow(await at.keep(advice))).toMatchObject({ outcome: { outcome: 'applied' } });
    } finally {
      await at.close();
    }
    const after = await server.watch(['reports', SORT], ['app', LOOK_UP]);
    expect(spilled(after)).toBe(0);
    expect((await server.run('SHOW work_mem', 'app')).rows).toEqual([{ work_mem: '8MB' }]);
    expect(verdict(advice, before, after).verdict).toBe('succeeded');
  });
});
