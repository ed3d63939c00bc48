/** Files that the server cannot read: a reload changes nothing, whatever ALTER SYSTEM has written. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Change } from '../../src/domain/index.ts';
import { testServer } from '../support/servers.ts';
import { driftCodes, rows } from './target.ts';

const change: Change = {
  kind: 'setting',
  name: 'work_mem',
  value: '8MB',
  current_value: '4MB',
  context: 'user',
};

it.each([
  ['a line that is none', 'this is no setting at all'],
  ['a name that the server does not know', 'work_memm = 8MB'],
])('refuses a setting where postgresql.conf has %s, which holds up every reload', async (_, line) => {
  // A server of its own: its files are broken for a moment.
  const server = await testServer({ settings: { cluster_name: 'broken configuration' } });
  const { dsn, drop } = await server.createDatabase();
  const file = (program: string) => rows(dsn, `COPY (SELECT 1 WHERE false) TO PROGRAM '${program}'`);
  try {
    expect(await driftCodes(dsn, change)).toEqual([]);
    await file('cp postgresql.conf whole.conf');
    await file(`echo "${line}" >> postgresql.conf`);
    expect(await driftCodes(dsn, change)).toEqual(['configuration_files_broken']);
    // The control: what was written comes into force only once the file is whole.
    const inForce = async () => (await rows<{ work_mem: string }>(dsn, 'SHOW work_mem'))[0]?.work_mem;
    await rows(dsn, "ALTER SYSTEM SET work_mem = '8MB'");
    await rows(dsn, 'SELECT pg_reload_conf()');
    await sleep(500);
    expect(await inForce()).toBe('4MB');
    await file('mv whole.conf postgresql.conf');
    await rows(dsn, 'SELECT pg_reload_conf()');
    await expect.poll(inForce).toBe('8MB');
    await rows(dsn, 'ALTER SYSTEM RESET work_mem');
    await rows(dsn, 'SELECT pg_reload_conf()');
    await expect.poll(inForce).toBe('4MB');
    // A value that is none concerns its parameter alone.
    await file('cp postgresql.conf whole.conf');
    await file('echo "random_page_cost = none" >> postgresql.conf');
    expect(await driftCodes(dsn, change)).toEqual([]);
    await file('mv whole.conf postgresql.conf');
  } finally {
    await drop();
  }
});
