/** ALTER ROLE … SET through the product: what is refused, what is done, and the way back. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan } from '../../src/apply/index.ts';
import type { Change } from '../../src/domain/index.ts';
import { apply, applyDatabase, driftCodes, rows } from './target.ts';

type RoleSetting = Extract<Change, { kind: 'role.setting' }>;

// Who may alter a role changed in 16.
describe.each([15, 18])('PostgreSQL %i', (major) => {
  let dsn: string;
  let drop: () => Promise<void>;
  const role = `Weekly Réports ${process.pid} ${major}`;
  const manager = `manager_${process.pid}_${major}`;
  const quoted = `"${role}"`;

  beforeAll(async () => {
    ({ dsn, drop } = await applyDatabase(major));
    await rows(dsn, `CREATE ROLE ${quoted} LOGIN`);
    await rows(dsn, `CREATE ROLE ${manager} LOGIN CREATEROLE`);
  });
  afterAll(async () => {
    await rows(dsn, `DROP ROLE ${quoted}`);
    await rows(dsn, `DROP ROLE ${manager}`);
    await drop();
  });

  const change = (parts: Partial<RoleSetting> = {}): RoleSetting => ({
    kind: 'role.setting',
    role,
    name: 'work_mem',
    value: '64MB',
    current_value: '4MB',
    previous: null,
    ...parts,
  });
  const inForce = async () => {
    const [row] = await rows<{ config: string[] | null }>(
      dsn,
      'SELECT setconfig AS config FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE rolname = $1',
      [role],
    );
    return row?.config ?? null;
  };

  it('is done, found done, and taken back', async () => {
    expect(await driftCodes(dsn, change())).toEqual([]);
    const { outcome, journal, plan } = await apply(dsn, change());
    expect(outcome).toMatchObject({ outcome: 'applied', pending_restart: false });
    expect(plan.statements).toEqual([`ALTER ROLE ${quoted} SET work_mem = '64MB'`]);
    expect((await journal.entries()).map(({ state }) => state)).toEqual(['done']);
    expect(await inForce()).toEqual(['work_mem=64MB']);
    expect(await driftCodes(dsn, change({ value: '65536kB' }))).toEqual(['already_applied']);
    for (const statement of plan.rollback) await rows(dsn, statement);
    expect(await inForce()).toBeNull();
    expect(buildPlan(change({ previous: '8MB' })).rollback).toEqual([
      `ALTER ROLE ${quoted} SET work_mem = '8MB'`,
    ]);
  });

  it.each<[string, Partial<RoleSetting>]>([
    ['setting_not_allowed', { name: 'search_path', value: 'evil' }],
    ['setting_not_allowed', { name: 'shared_buffers', value: '1GB' }],
    ['role_missing', { role: 'gone' }],
    ['setting_out_of_bounds', { value: '1kB' }],
    ['setting_changed', { previous: '8MB' }],
  ])('is refused for %s', async (code, parts) => {
    expect(await driftCodes(dsn, change(parts))).toEqual([code]);
  });

  it('takes a role that may alter it', async () => {
    const url = new URL(dsn);
    const as = (user: string) => {
      url.searchParams.set('user', user);
      return url.href;
    };
    // Up to 15 CREATEROLE suffices; from 16 on it takes ADMIN on the role.
    expect(await driftCodes(as(manager), change())).toEqual(major < 16 ? [] : ['missing_privilege']);
    if (major < 16) return;
    await rows(dsn, `GRANT ${quoted} TO ${manager} WITH ADMIN OPTION`);
    expect(await driftCodes(as(manager), change())).toEqual([]);
    await rows(dsn, `REVOKE ${quoted} FROM ${manager}`);
  });
});
