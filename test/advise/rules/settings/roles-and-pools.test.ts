/** work_mem by role, connections and pools: from spills by role and sessions that were seen. */
import { describe, expect, test } from 'vitest';
import { rule as maxConnections } from '../../../../src/advise/rules/settings/max-connections.ts';
import { rule as pooling } from '../../../../src/advise/rules/settings/pooling.ts';
import { rule as workMem } from '../../../../src/advise/rules/settings/work-mem.ts';
import { rule as workMemRole } from '../../../../src/advise/rules/settings/work-mem-role.ts';
import { pgbouncerText, poolPlan } from '../../../../src/advise/settings/pool-size.ts';
import {
  ACTIVITY_HIDDEN,
  type Concurrency,
  draftSchema,
  type Snapshot,
} from '../../../../src/domain/index.ts';
import {
  contextOf,
  GB,
  MB,
  snapshotOf,
  windowOf,
  workloadOf,
  workloadQuery,
} from '../../../support/snapshot-builder.ts';
import { concurrency, statementRow } from './busy-server.ts';

const group = (user: string, sessions: number) => ({
  backend_type: 'client backend',
  database: 'app',
  user,
  application_name: null,
  state: 'idle',
  wait_event_type: null,
  wait_event: null,
  query_id: null,
  sessions,
});

/** q1 of reports spills `mb` a call, q2 of app does not. */
function spilling(mb: number, snapshot: Snapshot, more: { seen?: Concurrency; both?: boolean } = {}) {
  const blocks = (10 * mb * MB) / 8192;
  const statements = [
    statementRow({
      queryid: '1',
      user: 'reports',
      calls: 10,
      temp_blks_written: blocks,
      total_exec_time_ms: 900,
    }),
    statementRow({
      queryid: '2',
      user: 'app',
      calls: 1000,
      total_exec_time_ms: 100,
      temp_blks_written: more.both ? 100 * blocks : 0,
    }),
  ];
  const query = { calls: 10, temp_blks_written: blocks, total_exec_time_ms: 900 };
  const workload = workloadOf([
    workloadQuery({ ...query, users: ['reports'] }),
    workloadQuery({ query_id: 'q2', queryids: ['2'], calls: 1000, total_exec_time_ms: 100 }),
  ]);
  return contextOf(snapshot, {
    workload,
    window: windowOf(86_400, { statements, ...(more.seen ? { concurrency: more.seen } : {}) }),
  });
}

describe('work_mem by role', () => {
  test('the role that spills gets it, and the server keeps what it has', async () => {
    const context = spilling(10, snapshotOf({ ram_bytes: 64 * GB }));
    const [draft] = (await workMemRole.evaluate(context)).recommendations;
    draftSchema.parse(draft);
    expect(draft).toMatchObject({
      title: 'work_mem of role reports: 4MB → 20MB',
      change: { kind: 'role.setting', role: 'reports', value: '20MB', previous: null },
      setting: { name: 'work_mem', bare_value: '20480', role: 'reports' },
      risk: { restart: false, reload: false },
    });
    const server = await workMem.evaluate(context);
    expect(server.rejections.map(({ code }) => code)).toEqual(['roles_suffice']);
  });

  test('its worst case fits, with the sessions that it may have', async () => {
    const value = async (context: ReturnType<typeof spilling>) => {
      const [draft] = (await workMemRole.evaluate(context)).recommendations;
      const number = (name: string) => Number(draft?.evidence.find((item) => item.name === name)?.value);
      if (draft)
        expect(number('worst-case memory after')).toBeLessThanOrEqual(number('memory that the set may take'));
      return { text: draft?.setting?.value, sessions: number('sessions of the role reckoned with') };
    };
    // 100 sessions and 8 workers, beside 4 GB of buffers and four times 1 GB of maintenance that may be applied as well.
    const all = await value(spilling(2000, snapshotOf()));
    expect(all).toEqual({ text: '18MB', sessions: 100 });
    // Ten samples and more: twice the most that were at work.
    const seen = await value(spilling(2000, snapshotOf(), { seen: concurrency }));
    expect(seen).toEqual({ text: '96MB', sessions: 10 });
    const role = {
      oid: 1,
      name: 'reports',
      is_superuser: false,
      can_login: true,
      can_replicate: false,
      bypasses_rls: false,
      connection_limit: 4,
      valid_until: null,
    };
    const instance = { roles: [role] } as unknown as NonNullable<Snapshot['instance']>;
    const limited = await value(spilling(2000, { ...snapshotOf(), instance }));
    expect(limited).toEqual({ text: '128MB', sessions: 4 });
  });

  describe('without a CONNECTION LIMIT, by its own sessions', () => {
    const peak = { role: 'reports', samples: 200, at_work_max: 2, connected_max: 3 };
    const seenBy = (by_role: Concurrency['by_role'], parts: Partial<Concurrency> = {}): Concurrency => ({
      ...concurrency,
      active_max: 40,
      ...parts,
      ...(by_role ? { by_role } : {}),
    });
    const given = async (seen: Concurrency, snapshot = snapshotOf()) => {
      const [draft] = (await workMemRole.evaluate(spilling(2000, snapshot, { seen }))).recommendations;
      draftSchema.parse(draft);
      const row = (name: string) => draft?.evidence.find((item) => item.name === name);
      const after = Number(row('worst-case memory after')?.value);
      expect(after).toBeLessThanOrEqual(Number(row('memory that the set may take')?.value));
      return { value: draft?.setting?.value, reckoned: row('sessions of the role reckoned with'), row };
    };

    test('twice what was at work, however many others are at work', async () => {
      const { value, reckoned, row } = await given(seenBy({ samples: 600, peaks: [peak] }));
      // Of all 40 at work it would be 80 sessions, and 18 MB.
      expect([value, reckoned?.value]).toEqual(['128MB', 4]);
      expect(reckoned?.formula).toContain('the more of 2 × 2 sessions of this role at work and 3 connected');
      expect(row('most sessions of the role at work')).toMatchObject({
        value: 2,
        level: 'measured',
        source: 'pg_stat_activity, 600 samples, 200 of which met the role at work',
      });
    });

    test('all that were connected at once, sampled or now, may come to work', async () => {
      const pooled = { ...peak, connected_max: 30 };
      expect((await given(seenBy({ samples: 600, peaks: [pooled] }))).reckoned?.value).toBe(30);
      const now = snapshotOf({ activity: { ...snapshotOf().activity, groups: [group('reports', 50)] } });
      expect((await given(seenBy({ samples: 600, peaks: [peak] }), now)).reckoned?.value).toBe(50);
      // In a sample that had no room for it, it may have been as busy as what was left out.
      const left_out = { at_work_max: 6, connected_max: 9 };
      expect((await given(seenBy({ samples: 600, peaks: [peak], left_out }))).reckoned?.value).toBe(12);
      expect(
        (await given(seenBy({ samples: 600, peaks: [{ ...peak, connected_max: 700 }] }))).reckoned?.value,
      ).toBe(100);
    });

    test.each([
      ['some samples are older than that', { samples: 599, peaks: [peak] }, '1 of 600 samples are of before'],
      ['all are', undefined, '600 of 600 samples are of before'],
      [
        'it was hardly met',
        { samples: 600, peaks: [{ ...peak, samples: 9 }] },
        '9 of 600 samples met the role',
      ],
      ['it was never met', { samples: 600, peaks: [] }, '0 of 600 samples met the role'],
    ])('by all roles as ever where %s, and it says so', async (_, by_role, words) => {
      const { value, reckoned } = await given(seenBy(by_role));
      expect([value, reckoned?.value]).toEqual([(await given(seenBy(undefined))).value, 80]);
      expect(reckoned?.formula).toContain(words);
    });

    test('a superuser’s CONNECTION LIMIT is none', async () => {
      const role = { name: 'reports', is_superuser: true, connection_limit: 1 };
      const instance = { roles: [role] } as unknown as NonNullable<Snapshot['instance']>;
      const { reckoned } = await given(seenBy({ samples: 600, peaks: [peak] }), {
        ...snapshotOf(),
        instance,
      });
      expect(reckoned?.value).toBe(4);
    });
  });

  test('what the role has already counts, and is the way back', async () => {
    const own = { role: 'reports', database: null, name: 'work_mem', value: '8MB' };
    const inDatabase = { role: 'reports', database: 'app', name: 'work_mem', value: '6MB' };
    const first = async (...setting_overrides: (typeof own | typeof inDatabase)[]) =>
      (await workMemRole.evaluate(spilling(10, snapshotOf({ ram_bytes: 64 * GB, setting_overrides }))))
        .recommendations[0];
    const draft = await first(own);
    expect(draft?.title).toBe('work_mem of role reports: 8MB → 20MB');
    expect(draft?.change).toMatchObject({ kind: 'role.setting', previous: '8MB' });
    // Where the role has a value in the database, that is the one in force.
    const masked = await first(own, inDatabase);
    expect(masked?.title).toBe('work_mem of role reports in database app: 6MB → 20MB');
    expect(masked?.change).toMatchObject({ kind: 'role.database.setting', database: 'app', previous: '6MB' });
    const enough = snapshotOf({ setting_overrides: [{ ...own, value: '64MB' }] });
    expect((await workMemRole.evaluate(spilling(10, enough))).rejections.map(({ code }) => code)).toEqual([
      'large_enough',
    ]);
  });

  test('quiet where memory is short, and left to the server where everybody spills', async () => {
    const short = await workMemRole.evaluate(spilling(10, snapshotOf({ ram_bytes: 1 * GB })));
    expect(short.rejections.map(({ code }) => code)).toEqual(['memory_budget']);
    // 6 GB leave 100 sessions a little more than they have: 2,000 MB would spill as now.
    const little = await workMemRole.evaluate(spilling(2000, snapshotOf({ ram_bytes: 6 * GB })));
    expect(little.recommendations).toEqual([]);
    expect(little.rejections[0]).toMatchObject({
      code: 'memory_budget',
      reason: expect.stringMatching(/leaves no more than \d+MB, which would spill as well/) as string,
    });
    const both = spilling(10, snapshotOf(), { both: true });
    expect((await workMemRole.evaluate(both)).rejections.map(({ code }) => code)).toEqual([
      'no_other_roles',
      'no_other_roles',
    ]);
    expect((await workMem.evaluate(both)).recommendations).toHaveLength(1);
  });
});

describe('work_mem of a role that masks what is proposed for the server', () => {
  const judged = async (value: string, database: string | null, { spills = true } = {}) => {
    const snapshot = snapshotOf({
      ram_bytes: 256 * GB,
      setting_overrides: [{ role: 'reports', database, name: 'work_mem', value }],
    });
    // Both spill, so that the server is the place; or a role that is not visible does, and reports does not.
    const context = spilling(10, snapshot, { both: true });
    for (const row of spills ? [] : (context.window?.statements ?? [])) {
      if (row.user === 'reports') row.temp_blks_written = 0;
      else row.user = null;
    }
    const { recommendations, rejections } = await workMem.evaluate(context);
    for (const draft of recommendations) draftSchema.parse(draft);
    return {
      server: recommendations.find(({ change }) => change.kind === 'setting'),
      reset: recommendations.find(({ change }) => change.kind !== 'setting'),
      codes: rejections.map(({ code }) => code),
    };
  };

  test.each([
    ['the same as the server’s', '4MB', null, 'role.setting'],
    ['less, in this database', '2MB', 'app', 'role.database.setting'],
  ])('%s, with spills: RESET beside the proposal', async (_, value, database, kind) => {
    const { server, reset } = await judged(value, database);
    expect(server?.title).toBe('work_mem: 4MB → 20MB');
    expect(reset?.change).toMatchObject({ kind, value: '4MB', previous: value, reset: true });
    expect(reset).toMatchObject({ evidence_level: 'measured' });
    expect(reset?.setting).toBeUndefined();
    const names = reset?.evidence.map(({ name }) => name);
    expect(names).toContain('spilled in a call of q1 by reports');
    expect(names).toContain('worst-case memory added');
  });

  test('left where it is more than the proposal or than the server has now, and where nothing of it spills', async () => {
    const more = await judged('64MB', 'app');
    expect([more.reset, more.codes.at(-1)]).toEqual([undefined, 'deliberate']);
    const between = await judged('8MB', 'app');
    expect([between.reset, between.codes.at(-1)]).toEqual([undefined, 'server_first']);
    const quiet = await judged('2MB', 'app', { spills: false });
    expect(quiet.server).toBeDefined();
    expect([quiet.reset, quiet.codes.at(-1)]).toEqual([undefined, 'deliberate']);
  });
});

describe('max_connections', () => {
  const context = (parts: {
    seen?: Partial<Concurrency>;
    ram_bytes?: number;
    standby?: boolean;
    now?: number;
    hidden?: boolean;
  }) =>
    contextOf(
      snapshotOf({
        ram_bytes: parts.ram_bytes ?? 1 * GB,
        settings: { max_connections: '400' },
        server: { in_recovery: parts.standby ?? false },
        limits: parts.hidden ? [{ scope: 'activity', code: ACTIVITY_HIDDEN, message: '', remedy: null }] : [],
        activity: {
          ...snapshotOf().activity,
          groups: [group('app', parts.now ?? 10)],
        },
      }),
      { window: windowOf(86_400, { concurrency: { ...concurrency, ...parts.seen } }) },
    );
  const codes = async (parts: Parameters<typeof context>[0]) =>
    (await maxConnections.evaluate(context(parts))).rejections.map(({ code }) => code);

  test('lowered to what was seen with a margin, by hand, where memory is over-committed', async () => {
    const [draft] = (await maxConnections.evaluate(context({}))).recommendations;
    // 24 × 1.5 in tens: 40.
    expect(draft?.setting).toMatchObject({ name: 'max_connections', value: '40', restart: true });
    expect(draft?.change).toEqual({ kind: 'finding' });
    const names = draft?.evidence.map(({ name }) => name);
    expect(names).toContain('worst-case memory now');
    expect(names).toContain('worst-case memory after');
  });
  test('lowered where the set fits, but only by starving work_mem for connections that nobody opens', async () => {
    const parts = { ram_bytes: 8 * GB };
    const [draft] = (await maxConnections.evaluate(context(parts))).recommendations;
    draftSchema.parse(draft);
    expect(draft?.setting).toMatchObject({ name: 'max_connections', value: '40' });
    const value = (name: string) => Number(draft?.evidence.find((item) => item.name === name)?.value);
    // It fits as it is, and it fits after: what is gained is what each process may have.
    expect(value('worst-case memory now')).toBeLessThan(8 * GB);
    expect(value('work_mem of a set that fits, with 40 connections')).toBeGreaterThan(16 * MB);
    expect(draft?.rationale).toContain('2MB work_mem with 400');
  });
  test('lowered where a role spills that what idle connections hold would be enough for', async () => {
    const at = (max_connections: number, mb: number) =>
      spilling(
        mb,
        {
          ...snapshotOf({
            ram_bytes: 8 * GB,
            settings: {
              max_connections: String(max_connections),
              work_mem: '12288',
              autovacuum_work_mem: '131072',
            },
          }),
          activity: { ...snapshotOf().activity, groups: [group('app', 10)] },
        },
        { seen: concurrency },
      );
    const roleOf = async (max_connections: number) =>
      (await workMemRole.evaluate(at(max_connections, 100))).recommendations[0]?.setting?.value;
    const [draft] = (await maxConnections.evaluate(at(100, 100))).recommendations;
    draftSchema.parse(draft);
    expect(draft?.setting).toMatchObject({ name: 'max_connections', value: '40' });
    const gain = draft?.evidence.find(({ name }) =>
      name.startsWith('work_mem that the budget leaves role reports'),
    );
    expect(draft?.rationale).toContain('leaves it 16MB with 100 connections, 60MB with 40');
    // What is promised is what the other rule proposes then; 16 MB would spill as 12 MB do.
    expect(await roleOf(100)).toBeUndefined();
    expect(await roleOf(40)).toBe('60MB');
    expect(gain?.value).toBe(60 * MB);
    // A spill that the role can be given the memory for as it is wants no connection less.
    expect((await maxConnections.evaluate(at(100, 2))).rejections.map(({ code }) => code)).toEqual(['fits']);
  });
  test.each([
    ['too few samples', { seen: { samples: 499 } }, 'no_evidence'],
    ['memory that suffices', { ram_bytes: 64 * GB }, 'fits'],
    ['most of them used', { seen: { total_max: 150 } }, 'used'],
    ['more in use now than were sampled', { now: 160 }, 'used'],
    ['a standby', { standby: true }, 'standby_below_primary'],
    ['sessions of other roles hidden from it', { hidden: true }, 'no_evidence'],
  ])('quiet with %s', async (_, parts, code) => {
    expect(await codes(parts)).toEqual([code]);
  });
});

describe('pooling', () => {
  const context = (seen: Partial<Concurrency>) =>
    contextOf(snapshotOf({ activity: { ...snapshotOf().activity, groups: [group('app', 90)] } }), {
      window: windowOf(86_400, { concurrency: { ...concurrency, total_max: 90, ...seen } }),
    });
  test('many sessions of which few work: the settings of a pooler', async () => {
    const [draft] = (await pooling.evaluate(context({}))).recommendations;
    draftSchema.parse(draft);
    expect(draft?.title).toBe('90 connections for 3 that work: a pool of 8 would do');
    expect(draft?.risk.notes[0]).toContain('default_pool_size = 8\nreserve_pool_size = 2');
    expect(draft?.risk.notes[0]).toContain('max_client_conn = 200');
    expect(draft?.evidence.find(({ name }) => name === 'pool')?.formula).toContain('3 × 1.25');
  });
  test.each([
    ['too few samples', { samples: 10 }, 'no_evidence'],
    ['sessions that work', { active_p95: 40 }, 'mostly_active'],
  ])('quiet with %s', async (_, seen, code) => {
    expect((await pooling.evaluate(context(seen))).rejections.map((item) => item.code)).toEqual([code]);
  });
  test('quiet with few sessions', async () => {
    const few = contextOf(
      snapshotOf({ activity: { ...snapshotOf().activity, groups: [group('app', 20)] } }),
      {
        window: windowOf(86_400, { concurrency }),
      },
    );
    expect((await pooling.evaluate(few)).rejections.map(({ code }) => code)).toEqual(['few_connections']);
  });
  test('a pool within 2 and 4 a CPU, by the sessions alone where CPUs are not known', () => {
    expect(poolPlan({ ...concurrency, active_p95: 100 }, 4, 300).pool_size).toBe(16);
    expect(poolPlan(concurrency, 4, 300)).toMatchObject({ pool_size: 8, max_clients: 600 });
    expect(poolPlan({ ...concurrency, active_p95: 100 }, null, 300).pool_size).toBe(125);
    expect(pgbouncerText(poolPlan(concurrency, 4, 90), 'my "db"')).toContain('"my ""db""" = host=…');
  });
});
