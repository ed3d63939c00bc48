/** Spills that end: seen, advised, applied by the product, and measured again, on real servers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { revertChange } from '../../src/pipeline/revert-change.ts';
import { advisedOn } from '../pipeline/advised.ts';
import { testMajors } from '../support/servers.ts';
import { advise, find, type Side, settingsServer, verdict } from './settings-server.ts';

const SORT = 'SELECT id, note FROM big ORDER BY note OFFSET 49999';
const LOOK_UP = 'SELECT count(*) FROM big WHERE id = 7';

const spilled = ({ window }: Side, user: string) =>
  window.statements.filter((row) => row.user === user).reduce((sum, row) => sum + row.temp_blks_written, 0);

const ends = [Math.min(...testMajors), Math.max(...testMajors)];

// Spills of everybody on every major, a role's on the oldest and the newest.
describe.each(testMajors)('PostgreSQL %i', (major) => {
  let server: Awaited<ReturnType<typeof settingsServer>>;
  beforeAll(async () => {
    server = await settingsServer(major);
    // What a sort writes depends on how many workers a busy server starts for it.
    await server.run('ALTER ROLE reports SET max_parallel_workers_per_gather = 0');
  });
  afterAll(async () => server?.stop());

  test.runIf(ends.includes(major))(
    'a role’s spills end with work_mem for that role, and nobody else has more',
    async () => {
      const before = await server.watch(['reports', SORT], ['reports', SORT], ['app', LOOK_UP]);
      expect(spilled(before, 'reports')).toBeGreaterThan(1000);
      const report = await advise(before);
      expect(report.rejections).toContainEqual(
        expect.objectContaining({ rule: 'settings/work-mem', code: 'roles_suffice' }),
      );
      const advice = find(report, 'settings/work-mem-role', 'work_mem');
      expect(advice.change).toMatchObject({ kind: 'role.setting', role: 'reports', previous: null });
      expect(advice.rollback).toEqual(['ALTER ROLE reports RESET work_mem']);
      await server.carryOut(advice);
      const after = await server.watch(['reports', SORT], ['reports', SORT], ['app', 'SHOW work_mem']);
      expect(spilled(after, 'reports')).toBe(0);
      expect((await server.run('SHOW work_mem', 'app')).rows).toEqual([{ work_mem: '4MB' }]);
      const { verdict: word, measures } = verdict(advice, before, after);
      expect(word).toBe('succeeded');
      expect(measures[0]).toMatchObject({ after: 0, before: expect.toSatisfy((bytes) => bytes > 0) });
      // A second look proposes nothing more, and the same again is refused.
      expect((await advise(after)).recommendations.map(({ rule }) => rule)).not.toContain(
        'settings/work-mem-role',
      );
      const { outcome } = await server.apply(advice);
      expect(outcome).toMatchObject({ outcome: 'failed', code: 'already_applied' });
      for (const statement of advice.rollback) await server.run(statement);
      expect((await server.run('SHOW work_mem', 'reports')).rows).toEqual([{ work_mem: '4MB' }]);
    },
  );

  test('spills of everybody end with the server’s work_mem, and those of a role that masked it with its RESET', async () => {
    const shown = async () => (await server.run('SHOW work_mem', 'reports')).rows[0]?.work_mem;
    await server.run(`ALTER ROLE reports SET work_mem = '2MB'`);
    const before = await server.watch(['reports', SORT], ['reports', SORT], ['reports', LOOK_UP]);
    const report = await advise(before);
    const advice = find(report, 'settings/work-mem', 'work_mem');
    const reset = report.recommendations.find(({ change }) => 'reset' in change);
    if (!reset) throw new Error('the role’s own value is not questioned');
    expect(reset.change).toMatchObject({ kind: 'role.setting', role: 'reports', previous: '2MB' });
    expect(reset.statements).toEqual(['ALTER ROLE reports RESET work_mem']);
    expect(reset.rollback).toEqual([`ALTER ROLE reports SET work_mem = '2MB'`]);
    // Noted where the server's is proposed, too: whoever applies that alone knows whom it does not reach.
    expect(advice.risk.notes.join(' ')).toContain('2MB for role reports');
    expect(advice.risk).toMatchObject({ restart: false, reload: true });
    expect(advice.by_hand?.map(({ dialect }) => dialect)).toEqual(['sql', 'conf']);
    await server.carryOut(advice);
    expect(await shown()).toBe('2MB');

    // The mask goes as all advice does: approved by its hash, applied by the service, verified, and taken back.
    const at = await advisedOn(server.dsn, async () => {});
    try {
      const done = await at.applyNow(await at.keep(reset));
      expect(done).toMatchObject({ outcome: { outcome: 'applied', facts: { previous: '2MB' } } });
      expect(await shown()).toBe(advice.setting?.value);
      const after = await server.watch(['reports', SORT], ['reports', SORT]);
      expect(spilled(after, 'reports')).toBe(0);
      expect(verdict(advice, before, after).verdict).toBe('succeeded');
      const judged = verdict(reset, before, after);
      expect(judged).toMatchObject({ verdict: 'succeeded' });
      expect(judged.reason).toContain('work_mem is no longer set for role reports');
      expect(judged.measures[0]).toMatchObject({
        name: 'temporary files of a statement of reports',
        after: 0,
      });
      const facts = { facts: {}, before: before.snapshot, after: after.snapshot };
      const [back] = await revertChange(reset.change, facts);
      if (!back) throw new Error('nothing takes it back');
      expect(await at.applyNow(await at.propose('back', back.change))).toMatchObject({
        outcome: { outcome: 'applied' },
      });
      expect(await shown()).toBe('2MB');
    } finally {
      await at.close();
    }
  });
});
