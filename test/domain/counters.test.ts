import { expect, test } from 'vitest';
import { diffCounters } from '../../src/domain/index.ts';
import { databaseCounters } from '../support/snapshot-builder.ts';

test('differences, and what one end did not see is null', () => {
  const before = {
    database: databaseCounters({ blks_hit: 100, temp_bytes: 5 }),
    checkpoints: { timed: 3, requested: 1, stats_reset: null },
    wal: null,
  };
  const after = {
    database: databaseCounters({ blks_hit: 150, temp_bytes: 5 }),
    checkpoints: { timed: 4, requested: 3, stats_reset: null },
    wal: { wal_bytes: 1, wal_fpi: 1, wal_buffers_full: 1, stats_reset: null },
  };
  const delta = diffCounters(before, after);
  expect(delta.database).toMatchObject({ blks_hit: 50, temp_bytes: 0 });
  expect(delta.checkpoints).toEqual({ timed: 1, requested: 2 });
  expect(delta.wal).toBeNull();
});

test('counters that fell were reset: what was counted since is taken for all of them', () => {
  const row = (timed: number, requested: number) => ({
    database: null,
    checkpoints: { timed, requested, stats_reset: null },
    wal: null,
  });
  expect(diffCounters(row(10, 5), row(2, 7)).checkpoints).toEqual({ timed: 2, requested: 7 });
});
