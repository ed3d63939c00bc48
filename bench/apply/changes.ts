/** One change of each kind that touches a table: on `items`, and on `visits`, which is partitioned. */
import type { Change } from '../../src/domain/index.ts';

/** An index of all of `visits`, to be dropped. */
const TREE = `
  CREATE INDEX visits_goes ON ONLY visits (day, id);
  CREATE INDEX visits_1_goes ON visits_1 (day, id);
  CREATE INDEX visits_2_goes ON visits_2 (day, id);
  ALTER INDEX visits_goes ATTACH PARTITION visits_1_goes;
  ALTER INDEX visits_goes ATTACH PARTITION visits_2_goes;
`;

const leaves = (suffix: string) =>
  ['visits_1', 'visits_2'].map((table) => ({
    schema: 'public',
    table,
    name: `${table}_${suffix}`,
    parent_schema: 'public',
    parent_name: `visits_${suffix}`,
    leaf: true,
  }));

const column = (name: string) => ({
  column: name,
  expression: null,
  opclass: null,
  collation: null,
  direction: 'asc' as const,
  nulls: null,
});

const TABLE = { schema: 'public', table: 'items' };

export const SCHEMA = (rows: number) => `
  CREATE TABLE items (id int PRIMARY KEY, v text, n int);
  INSERT INTO items SELECT g, 'v' || g % 31, g % 31 FROM generate_series(0, ${rows}) g;
  CREATE INDEX items_n ON items (n);
  CREATE INDEX items_goes ON items (n, id);
  CREATE TABLE other AS SELECT 1 AS a;
  CREATE TABLE visits (id int, day int) PARTITION BY RANGE (day);
  CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (100);
  CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (100) TO (200);
  INSERT INTO visits SELECT g, g % 200 FROM generate_series(0, 20000) g;
  ${TREE}
`;

export const changes: Change[] = [
  {
    kind: 'index.create',
    index: {
      ...TABLE,
      name: 'items_v',
      method: 'btree',
      unique: false,
      keys: [column('v')],
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

/** Of a partitioned table: some of their statements block others while they wait, for a moment only. */
export const partitionedChanges: Change[] = [
  {
    kind: 'index.create',
    index: {
      schema: 'public',
      table: 'visits',
      name: 'visits_day',
      method: 'btree',
      unique: false,
      keys: [column('day')],
      include: [],
      where: null,
      options: {},
    },
    partitions: leaves('day'),
  },
  {
    kind: 'index.drop',
    schema: 'public',
    table: 'visits',
    name: 'visits_goes',
    definition: 'CREATE INDEX visits_goes ON ONLY public.visits USING btree (day, id)',
    partitions: leaves('goes').map((leaf) => ({
      ...leaf,
      definition: `CREATE INDEX ${leaf.name} ON public.${leaf.table} USING btree (day, id)`,
    })),
  },
];

/** Puts the table back to what it was before any change. */
export const BACK = [
  'DROP INDEX IF EXISTS items_v',
  'DROP STATISTICS IF EXISTS items_vn',
  'ALTER TABLE items RESET (fillfactor)',
  'DROP INDEX IF EXISTS items_goes',
  'CREATE INDEX items_goes ON items (n, id)',
];

/** The same for the partitioned one. */
export const PARTITIONED_BACK = [
  'DROP INDEX IF EXISTS visits_day, visits_1_day, visits_2_day',
  'DROP INDEX IF EXISTS visits_goes, visits_1_goes, visits_2_goes',
  TREE,
];
