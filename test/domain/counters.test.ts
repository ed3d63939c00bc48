import { expect, test } from 'vitest';
import { diffCounters, noCounters } from '../../src/domain/index.ts';
import { checkpointCounters, databaseCounters, walCounters } from '../support/snapshot-builder.ts';

test('differences, and what one end did not see is null', () => {
  const before = {
    ...noCounters,
    database: databaseCounters({ blks_hit: 100, temp_bytes: 5 }),
    checkpoints: checkpointCounters({ timed: 3, requested: 1 }),
  };
  const after = {
    ...noCounters,
    database: databaseCounters({ blks_hit: 150, temp_bytes: 5 }),
    checkpoints: checkpointCounters({ timed: 4, requested: 3 }),
    wal: walCounters({ wal_bytes: 1, wal_fpi: 1 }),
  };
  const delta = diffCounters(before, after);
  expect(delta.database).toMatchObject({ blks_hit: 50, temp_bytes: 0 });
  expect(delta.checkpoints).toMatchObject({ timed: 1, requested: 2 });
  expect(delta.wal).toBeNull();
});

test('counters that fell were reset: what was counted since is taken for all of them', () => {
  const row = (timed: number, requested: number) => ({
    ...noCounters,
    checkpoints: checkpointCounters({ timed, requested }),
  });
  expect(diffCounters(row(10, 5), row(2, 7)).checkpoints).toMatchObject({ timed: 2, requested: 7 });
});
