/** The index of a partitioned table, and its way back. */
import { column } from '../target.ts';
import { indexState } from './index-subjects.ts';
import type { Subject } from './subjects.ts';

const TREE = `
  CREATE TABLE parted (id int, at int) PARTITION BY RANGE (at);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
  CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200);
  INSERT INTO parted SELECT i, i FROM generate_series(0, 199) i;
  CREATE INDEX parted_1_foreign ON parted_1 (at, id);
  UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'parted_1_foreign'::regclass;
`;

const leaves = (schema: string) =>
  ['1', '2'].map((number) => ({
    schema,
    table: `parted_${number}`,
    name: `parted_${number} idx`,
    parent_schema: schema,
    parent_name: 'parted idx',
    leaf: true,
  }));

export const partitionedSubjects: Subject[] = [
  {
    name: 'index.create on partitions',
    setup: () => TREE,
    entries: 7,
    change: ({ schema }) => ({
      kind: 'index.create',
      index: {
        schema,
        table: 'parted',
        name: 'parted idx',
        method: 'btree',
        unique: false,
        keys: [column('at')],
        include: [],
        where: null,
        options: {},
      },
      partitions: leaves(schema),
    }),
    // The second leaf's build: the first one's is done by then.
    hold: (schema) => [`LOCK TABLE ${schema}.parted_2 IN ROW EXCLUSIVE MODE`],
    holdRecovery: (schema) => [`LOCK TABLE ${schema}.parted_2 IN ROW EXCLUSIVE MODE`],
    // The whole counts: what is there of it in part, the outcome says.
    effect: async (place) => ((await indexState(place, 'parted idx')) === 'valid' ? 'done' : 'undone'),
  },
  {
    name: 'index.drop on partitions',
    setup: () => `${TREE}
      CREATE INDEX "parted idx" ON ONLY parted (at);
      CREATE INDEX "parted_1 idx" ON parted_1 (at); CREATE INDEX "parted_2 idx" ON parted_2 (at);
      ALTER INDEX "parted idx" ATTACH PARTITION "parted_1 idx"; ALTER INDEX "parted idx" ATTACH PARTITION "parted_2 idx";`,
    entries: 2,
    change: ({ schema }) => ({
      kind: 'index.drop',
      schema,
      table: 'parted',
      name: 'parted idx',
      definition: `CREATE INDEX "parted idx" ON ONLY ${schema}.parted USING btree (at)`,
      partitions: leaves(schema).map((leaf) => ({
        ...leaf,
        definition: `CREATE INDEX "${leaf.name}" ON ${schema}.${leaf.table} USING btree (at)`,
      })),
    }),
    hold: (schema) => [`SELECT count(*) FROM ${schema}.parted_2`],
    effect: async (place) => {
      const found = await Promise.all(
        ['parted idx', 'parted_1 idx', 'parted_2 idx'].map((name) => indexState(place, name)),
      );
      if (found.every((one) => one === 'valid')) return 'undone';
      return found.every((one) => one === 'absent') ? 'done' : 'between';
    },
  },
];
