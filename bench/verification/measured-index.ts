/** The index whose creation is verified in every drawn world, and in the tests of verdicts. */
import type { Change } from '../../src/domain/index.ts';
import { indexRow } from '../../test/workload/snapshots.ts';

export const createChange: Change = {
  kind: 'index.create',
  index: {
    schema: 'public',
    table: 'orders',
    name: 'orders_idx',
    method: 'btree',
    unique: false,
    keys: [{ column: 'a', expression: null, opclass: null, collation: null, direction: 'asc', nulls: null }],
    include: [],
    where: null,
    options: {},
  },
};
export const built = indexRow({ oid: 7, table_oid: 1, table: 'orders', name: 'orders_idx' });
