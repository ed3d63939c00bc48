import { afterAll, beforeAll, expect, it } from 'vitest';
import { recoverApply } from '../../src/apply/index.ts';
import type { Change, JournalEntry } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { newJournal } from './journal.ts';
import { apply, applyDatabase, client, newApplyId, rows } from './target.ts';

let dsn: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  ({ dsn, drop } = await applyDatabase());
});
afterAll(async () => {
  await write('RESET join_collapse_limit');
  await drop();
});

const change: Change = {
  kind: 'setting',
  name: 'join_collapse_limit',
  value: '8',
  current_value: '9',
  context: 'user',
  reset: true,
};
async function write(what: string) {
  const session = await client(dsn);
  await session.query(`ALTER SYSTEM ${what}`);
  await session.query('SELECT pg_reload_conf()');
  await session.end();
}
const entry = async () =>
  (
    await rows<{ setting: string }>(dsn, `SELECT setting FROM pg_file_settings WHERE name = '${change.name}'`)
  )[0]?.setting ?? null;
const inForce = async () =>
  (await rows<{ value: string }>(dsn, `SELECT current_setting('${change.name}') AS value`))[0]?.value;
async function written() {
  await write('SET join_collapse_limit = 9');
  await expect.poll(inForce).toBe('9');
}

it('takes an entry out, and after a crash tells by the file whether it did', async () => {
  await written();
  const { outcome, journal, plan } = await apply(dsn, change);
  expect(outcome).toMatchObject({ outcome: 'applied', facts: { previous_entry: '9', in_force: true } });
  expect(await entry()).toBeNull();
  // The process ended with the entry's removal sent, its answer and the reload not seen.
  const cut = (await journal.entries())
    .slice(0, 2)
    .map((row): JournalEntry => (row.step === 2 ? { ...row, state: 'intended', finished_at: null } : row));
  expect(cut.at(-1)?.sql).toBe(plan.statements[0]);
  const recover = () =>
    recoverApply({
      plan,
      apply_id: newApplyId(),
      onProgress: () => {},
      dsn,
      openSession: openTarget,
      journal: newJournal(cut),
    });
  expect(await recover()).toMatchObject({ outcome: 'applied', facts: { recovered: true, in_force: true } });
  await written();
  expect(await recover()).toMatchObject({ outcome: 'failed' });
  expect(await entry()).toBe('9');
  await write('SET join_collapse_limit = 10');
  expect(await recover()).toMatchObject({ outcome: 'needs_attention', code: 'setting_changed' });
  expect(await entry()).toBe('10');
});
