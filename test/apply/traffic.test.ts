/** Changes while the table is read and written: no statement of the traffic fails or waits for us. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change } from '../../src/domain/index.ts';
import { testMajors } from '../support/servers.ts';
import {
  apply,
  applyDatabase,
  client,
  createIndexChange,
  QUALIFIED,
  rows,
  snapshotHolder,
  TABLE,
  until,
  waitingBuild,
} from './target.ts';

const WORKERS = 3;
/** A statement of the traffic that waits longer than this for a lock fails. */
const PATIENCE = '1s';

interface Traffic {
  /** Statements done so far. */
  done(): number;
  /** Ends it; what failed in it. */
  stop(): Promise<string[]>;
}

/** Ids that no row of the table has yet, over all tests. */
let nextId = 10_000;

async function traffic(dsn: string): Promise<Traffic> {
  let stopped = false;
  let done = 0;
  const errors: string[] = [];
  const worker = async () => {
    const session = await client(dsn);
    await session.query(`SET lock_timeout = '${PATIENCE}'`);
    while (!stopped && errors.length === 0) {
      nextId += 1;
      const id = nextId;
      try {
        await session.query(`INSERT INTO ${QUALIFIED} VALUES ($1, $2, 'open', 1)`, [id, `new ${id}`]);
        await session.query(`UPDATE ${QUALIFIED} SET "Größe" = 'changed' || n, n = n + 1 WHERE id = $1`, [
          1 + (id % 3000),
        ]);
        await session.query(`SELECT count(*) FROM ${QUALIFIED} WHERE "Größe" = 'g7'`);
        await session.query(`DELETE FROM ${QUALIFIED} WHERE id = $1`, [id - 50]);
        done += 4;
      } catch (error) {
        errors.push(String(error));
      }
    }
    await session.end();
  };
  const running = Array.from({ length: WORKERS }, () => worker());
  return {
    done: () => done,
    stop: async () => {
      stopped = true;
      await Promise.all(running);
      return errors;
    },
  };
}

const majors = [...new Set([Math.min(...testMajors), Math.max(...testMajors)])];

describe.each(majors)('on PostgreSQL %i', (major) => {
  let dsn: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    ({ dsn, drop } = await applyDatabase(major));
    await rows(dsn, 'CREATE EXTENSION amcheck');
    await rows(dsn, `CREATE INDEX goes ON ${QUALIFIED} (n)`);
  });
  afterAll(() => drop());

  const changes: [string, Change][] = [
    ['a build', createIndexChange()],
    [
      'storage parameters',
      { kind: 'table.reloptions', ...TABLE, set: { fillfactor: '80' }, previous: { fillfactor: null } },
    ],
    ['ANALYZE', { kind: 'analyze', ...TABLE }],
    [
      'a drop',
      {
        kind: 'index.drop',
        ...TABLE,
        name: 'goes',
        definition: `CREATE INDEX goes ON ${QUALIFIED} USING btree (n)`,
      },
    ],
  ];

  it.each(changes)('%s', async (_, change) => {
    const running = await traffic(dsn);
    const outcome = await apply(dsn, change).then((ran) => ran.outcome, String);
    expect(await running.stop()).toEqual([]);
    expect(running.done()).toBeGreaterThan(0);
    expect(outcome).toMatchObject({ outcome: 'applied' });
    if (change.kind === 'index.create') {
      // Each row of the table, also those written during the build, is in the index.
      await rows(dsn, `SELECT bt_index_check('"Shöp"."Größe Idx"'::regclass, true)`);
    }
  });

  it('a build that waits for an old snapshot', async () => {
    const holder = await snapshotHolder(dsn);
    const running = await traffic(dsn);
    const building = apply(dsn, createIndexChange({ name: 'later', where: "status = 'open'" }));
    await waitingBuild(dsn);
    const before = running.done();
    await until(() => Promise.resolve(running.done() >= before + 40));
    await holder.release();
    expect(await building).toMatchObject({ outcome: { outcome: 'applied' } });
    expect(await running.stop()).toEqual([]);
    await rows(dsn, `SELECT bt_index_check('"Shöp".later'::regclass, true)`);
  });
});
