/** The network, the primary or the store goes away in the middle of an apply: it stays open, and is adopted afterwards. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { sightOf } from '../../src/apply/build-witness.ts';
import { buildPlan, executePlan, recoverApply } from '../../src/apply/index.ts';
import type { Change, Journal } from '../../src/domain/index.ts';
import { startEmbedded } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { tcpFront } from '../target/tcp-front.ts';
import { newJournal } from './journal.ts';
import {
  apply,
  applyDatabase,
  createIndexChange,
  driftCodes,
  indexState,
  newApplyId,
  rows,
  snapshotHolder,
  TARGET_SCHEMA,
  until,
  waitingBuild,
} from './target.ts';

const change = createIndexChange();
const plan = buildPlan(change);

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const run = (dsn: string, apply_id: string, journal: Journal) =>
  executePlan(plan, { dsn, apply_id, openSession: openTarget, journal, onProgress: () => {} });

const recover = (dsn: string, apply_id: string, journal: Journal) =>
  recoverApply({ plan, apply_id, onProgress: () => {}, dsn, openSession: openTarget, journal });

async function behindFront() {
  const { dsn, drop } = await applyDatabase();
  closers.push(drop);
  const front = await tcpFront(dsn);
  closers.push(() => front.close());
  return { dsn, front, journal: newJournal(), id: newApplyId() };
}

describe('the network', () => {
  it('is cut: the build runs on, the apply stays open and is then found done', async () => {
    const { dsn, front, journal, id } = await behindFront();
    const holder = await snapshotHolder(dsn);
    const running = run(front.dsn, id, journal);
    await waitingBuild(dsn);
    front.cut();
    expect(await running).toBeNull();
    await expect(recover(front.dsn, id, journal)).rejects.toMatchObject({ code: 'target_unreachable' });
    front.mend();
    expect(await recover(front.dsn, id, journal)).toBeNull();
    await holder.release();
    expect(await until(() => recover(front.dsn, id, journal))).toMatchObject({ outcome: 'applied' });
    expect(await indexState(dsn)).toBe('valid');
  });

  it('loses the answer: the server has long been done, and that is seen', async () => {
    const { dsn, front, journal, id } = await behindFront();
    const holder = await snapshotHolder(dsn);
    const running = run(front.dsn, id, journal);
    await waitingBuild(dsn);
    front.silenceOpen();
    await holder.release();
    const outcome = await running;
    // The backend still has the lock while the server takes our side for alive.
    if (outcome !== null) expect(outcome).toMatchObject({ outcome: 'applied' });
    expect(await until(() => recover(front.dsn, id, journal))).toMatchObject({ outcome: 'applied' });
    expect(await indexState(dsn)).toBe('valid');
  });
});

it('a failover: no standby is asked, and what the new primary has is cleaned up', async () => {
  const place = await mkdtemp(join(tmpdir(), 'pgluthier-failover-'));
  closers.push(() => rm(place, { recursive: true, force: true }));
  await chmod(place, 0o755);
  const settings = { wal_level: 'replica', autovacuum: 'off' };
  const primary = await startEmbedded({ major: 18, settings, dataDirectory: join(place, 'primary') });
  closers.push(() => primary.stop('immediate'));
  await rows(primary.dsn(), TARGET_SCHEMA);
  const copy = join(place, 'standby');
  await primary.restart(async () => {
    execFileSync('cp', ['-a', primary.dataDirectory, copy]);
    const { uid, gid } = await stat(primary.dataDirectory);
    await writeFile(join(copy, 'standby.signal'), '');
    await chown(join(copy, 'standby.signal'), uid, gid);
  });
  const standby = await startEmbedded({
    major: 18,
    dataDirectory: copy,
    settings: {
      ...settings,
      primary_conninfo: `host=${primary.socketDirectory} port=${primary.port} user=postgres`,
    },
  });
  closers.push(() => standby.stop('immediate'));
  await until(async () => (await rows(primary.dsn(), 'SELECT FROM pg_stat_replication')).length === 1);

  const front = await tcpFront(primary.dsn());
  closers.push(() => front.close());
  const [journal, id] = [newJournal(), newApplyId()];
  const holder = await snapshotHolder(primary.dsn());
  const running = run(front.dsn, id, journal);
  await waitingBuild(primary.dsn());
  await until(async () => (await indexState(standby.dsn())) === 'invalid');
  front.leadTo(standby.dsn());
  process.kill(primary.pid, 'SIGKILL');
  expect(await running).toBeNull();
  await expect(recover(front.dsn, id, journal)).rejects.toMatchObject({ code: 'target_is_standby' });
  expect(await driftCodes(standby.dsn(), createIndexChange())).toEqual(['standby']);
  await rows(standby.dsn(), 'SELECT pg_promote()');
  await holder.release().catch(() => {});
  expect(await until(() => recover(front.dsn, id, journal))).toMatchObject({
    outcome: 'failed',
    code: 'interrupted_before_effect',
  });
  expect(await indexState(standby.dsn())).toBe('absent');
});

describe('another cluster under the same address', () => {
  const qualified = '"Shöp"."Größe Idx"';
  const invalid = async (major: number) => {
    const database = await applyDatabase(major);
    closers.push(database.drop);
    await rows(database.dsn, `CREATE INDEX "Größe Idx" ON "Shöp"."Order Items" ("Größe")`);
    await rows(
      database.dsn,
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${qualified}'::regclass`,
    );
    return database.dsn;
  };

  it('has an invalid index of the name: nobody saw that one made, and it stays', async () => {
    const [one, other] = [await invalid(17), await invalid(18)];
    const [journal, id] = [newJournal(), newApplyId()];
    const [sql = ''] = plan.statements;
    await journal.intend({ purpose: 'statement', sql, backend_pid: 1, backend_start: null });
    // The one's cluster, the other's OID.
    await rows(one, `ALTER INDEX ${qualified} RENAME TO away`);
    const [{ oid } = { oid: 0 }] = await rows<{ oid: number }>(
      other,
      'SELECT $1::regclass::oid::int4 AS oid',
      [qualified],
    );
    const [{ system } = { system: '' }] = await rows<{ system: string }>(
      one,
      'SELECT system_identifier::text AS system FROM pg_control_system()',
    );
    const seenThere = { purpose: 'statement' as const, sql: sightOf(system, oid), backend_pid: 1 };
    await journal.intend({ ...seenThere, backend_start: null });
    expect(await recover(other, id, journal)).toMatchObject({
      outcome: 'needs_attention',
      code: 'unseen_leftover',
    });
    expect(await indexState(other)).toBe('invalid');
  });

  it('has an index of the name that another OID names: that is no rebuild of ours', async () => {
    const { dsn, drop } = await applyDatabase(17);
    closers.push(drop);
    await rows(dsn, `CREATE INDEX "Größe Idx" ON "Shöp"."Order Items" ("Größe")`);
    const reindex: Change = {
      kind: 'index.reindex',
      schema: 'Shöp',
      table: 'Order Items',
      name: 'Größe Idx',
      definition: `CREATE INDEX "Größe Idx" ON "Shöp"."Order Items" USING btree ("Größe")`,
    };
    const [journal, id] = [newJournal(), newApplyId()];
    expect((await apply(dsn, reindex, { journal, apply_id: id })).outcome).toMatchObject({
      outcome: 'applied',
    });
    const elsewhere = await applyDatabase(18);
    closers.push(elsewhere.drop);
    await rows(elsewhere.dsn, `CREATE INDEX "Größe Idx" ON "Shöp"."Order Items" ("Größe")`);
    const there = {
      plan: buildPlan(reindex),
      apply_id: id,
      onProgress: () => {},
      openSession: openTarget,
      journal,
    };
    expect(await recoverApply({ ...there, dsn: elsewhere.dsn })).toMatchObject({
      outcome: 'needs_attention',
      code: 'another_cluster',
    });
    expect(await recoverApply({ ...there, dsn })).toMatchObject({ outcome: 'applied' });
  });
});
