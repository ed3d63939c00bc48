/** One change of each kind that touches a table, on `items`. */
import type { Change } from '../../src/domain/index.ts';

const TABLE = { schema: 'public', table: 'items' };

export const SCHEMA = (rows: number) => `
  CREATE TABLE items (id int PRIMARY KEY, v text, n int);
  INSERT INTO items SELECT g, 'v' || g % 31, g % 31 FROM generate_series(0, ${rows}) g;
  CREATE INDEX items_n ON items (n);
  CREATE INDEX items_goes ON items (n, id);
  CREATE TABLE other AS SELECT 1 AS a;
`;

export const changes: Change[] = [
  {
    kind: 'index.create',
    index: {
      ...TABLE,
      name: 'items_v',
      method: 'btree',
      unique: false,
      keys: [
        { column: 'v', expression: null, opclass: null, collation: null, direction: 'asc', nulls: null },
      ],
      include: [],
      where: null,
      options: {},
    },
  },
  {
    kind: 'index.reindex',
    ...TABLE,
    name: 'items_n',
    definition: 'CREATE INDEX items_n ON public.items USING btree (n)',
  },
  {
    kind: 'index.drop',
    ...TABLE,
    name: 'items_goes',
    definition: 'CREATE INDEX items_goes ON public.items USING btree (n, id)',
  },
  { kind: 'table.reloptions', ...TABLE, set: { fillfactor: '80' }, previous: { fillfactor: null } },
  { kind: 'statistics.create', ...TABLE, name: 'items_vn', kinds: ['dependencies'], columns: ['v', 'n'] },
  { kind: 'analyze', ...TABLE },
  { kind: 'vacuum', ...TABLE, freeze: false, analyze: false },
];

/** Puts the table back to what it was before any change. */
export const BACK = [
  'DROP INDEX IF EXISTS items_v',
  'DROP STATISTICS IF EXISTS items_vn',
  'ALTER TABLE items RESET (fillfactor)',
  'DROP INDEX IF EXISTS items_goes',
  'CREATE INDEX items_goes ON items (n, id)',
];
