import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { composeSnapshot, fastPart, type Limit, type Snapshot } from '../../src/domain/index.ts';
import { tableRow } from '../support/rows.ts';
import { snapshotOf } from '../support/snapshot-builder.ts';

const limit = (scope: string, code = 'timed_out'): Limit => ({ scope, code, message: scope, remedy: null });
const codes = (snapshot: Snapshot) => snapshot.limits.map(({ scope, code }) => `${scope} ${code}`);

describe('a fast snapshot over a full one', () => {
  const full = snapshotOf({
    tables: [tableRow({ oid: 1, name: 'kept' }), tableRow({ oid: 2, name: 'dropped' })],
  });

  it('has its counters, and the definitions, sizes and settings of the full one', () => {
    const fast = fastPart({
      ...full,
      taken_at: '2026-03-01T12:01:00.000Z',
      tables: [tableRow({ oid: 1, name: 'kept', n_tup_ins: 77, main_pages: 12_345 })],
      server: { ...full.server, database_size_bytes: null },
    });
    const composed = composeSnapshot(full, fast);
    expect(composed.tables).toEqual([{ ...full.tables[0], n_tup_ins: 77 }]);
    expect(composed).toMatchObject({
      taken_at: '2026-03-01T12:01:00.000Z',
      full_taken_at: full.taken_at,
      settings: full.settings,
    });
    expect(composed.server.database_size_bytes).toBe(full.server.database_size_bytes);
  });

  it('keeps a limit as long as what it is about was not read again', () => {
    const before = { ...full, limits: [limit('columns'), limit('wal'), limit('tables'), limit('sessions')] };
    const fast = { ...fastPart(full), limits: [limit('tables'), limit('io')] };
    expect(codes(composeSnapshot(before, fast))).toEqual([
      'tables timed_out',
      'io timed_out',
      'columns timed_out',
    ]);
  });

  it('takes tables that could not be read for unread, not for dropped', () => {
    const fast = { ...fastPart(full), tables: [], limits: [limit('tables')] };
    expect(composeSnapshot(full, fast).tables.map((table) => table.name)).toEqual(['kept', 'dropped']);
  });

  it('knows for each noun whether it is read often', () => {
    const slow = readdirSync('sql/collect').filter((noun) => {
      const composed = composeSnapshot({ ...full, limits: [limit(noun)] }, { ...fastPart(full), limits: [] });
      return composed.limits.length > 0;
    });
    // A new noun is to be put on one side or the other.
    expect(slow.sort()).toEqual(
      `btree-levels busy collation-versions column-ends columns composite-types constraints database-facts database-size
       definer-functions definitions domains enums expression-statistics extended-expression-statistics extended-statistics extension-versions file-settings
       functions index-counters indexes inherits instance-rights partition-bounds partition-keys policies publications
       range-statistics range-types relations roles sequences setting-overrides settings subscriptions table-counters
       tables tablespaces tree-statistics triggers views wal-directory`.split(/\s+/),
    );
  });
});
