/**
 * A change is a typed object, never text: SQL is rendered from it (apply/render.ts) with identifiers quoted by
 * `quoteIdentifier`. Property names are the API's and the store's names.
 */
import { z } from 'zod';

/** One key of an index. `expression` is SQL deparsed by PostgreSQL's own grammar from a parsed statement or read from the catalog; it never comes from a client. */
export const indexKeySchema = z.object({
  /** Column name, unquoted as the catalog has it; exactly one of `column` and `expression` is set. */
  column: z.string().nullable(),
  expression: z.string().nullable(),
  /** Operator class, e.g. `text_pattern_ops`; null is the type's default. */
  opclass: z.string().nullable().default(null),
  /** Collation as SQL (already quoted, possibly schema-qualified); null is the column's own. */
  collation: z.string().nullable().default(null),
  direction: z.enum(['asc', 'desc']).default('asc'),
  /** null is the direction's default: last for asc, first for desc. */
  nulls: z.enum(['first', 'last']).nullable().default(null),
});
export type IndexKey = z.infer<typeof indexKeySchema>;

/** All that CREATE INDEX needs, but for CONCURRENTLY. An index lives in its table's schema. */
export const indexDefinitionSchema = z.object({
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  method: z.string().default('btree'),
  unique: z.boolean().default(false),
  keys: z.array(indexKeySchema).min(1),
  include: z.array(z.string()).default([]),
  /** Predicate of a partial index, as SQL without WHERE; null for a whole-table index. */
  where: z.string().nullable().default(null),
  /** Storage parameters, e.g. `{ pages_per_range: '32' }`. */
  options: z.record(z.string(), z.string()).default({}),
});
export type IndexDefinition = z.infer<typeof indexDefinitionSchema>;

/** A table below a partitioned one, with the index that it gets: its parent's index is attached to by it. */
export const partitionIndexSchema = z.object({
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  /** The parent's index, in its table's schema. */
  parent_schema: z.string(),
  parent_name: z.string(),
  /** False: it is partitioned itself. */
  leaf: z.boolean(),
});
export type PartitionIndex = z.infer<typeof partitionIndexSchema>;

/** An index that is there, by name and by its definition when it was judged. */
const existingIndexSchema = z.object({
  schema: z.string(),
  name: z.string(),
  /** `pg_get_indexdef` of it. */
  definition: z.string(),
});

/** What CREATE STATISTICS is to keep: mcv are common combinations, which need the values themselves. */
export const statisticsKinds = ['ndistinct', 'dependencies', 'mcv'] as const;

/**
 * A setting of a role in all databases, of a database for all roles, or of a role in one database. The kind is the scope:
 * policies approve by kind, and one that names roles has not agreed to a whole database.
 */
const scopedSetting = z.object({
  name: z.string(),
  /** As ALTER ROLE or ALTER DATABASE … SET takes it, with its unit. */
  value: z.string(),
  /** What new sessions there had when advised, as SHOW prints it. */
  current_value: z.string(),
  /** What exactly this scope had, as pg_db_role_setting keeps it; null: nothing, a wider scope's value held. */
  previous: z.string().nullable(),
  /** The scope's own value is taken away; `value` is what is expected to hold then. Absent: it is set. */
  reset: z.literal(true).optional(),
});

export const changeSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('index.create'),
    index: indexDefinitionSchema,
    /** Of a partitioned table: the whole tree below it, parents before their children. Absent: a plain table. */
    partitions: z.array(partitionIndexSchema).optional(),
    /**
     * `pg_get_indexdef` of an index that was dropped and is built again: it is built by this text to the letter. Absent:
     * by `index`.
     */
    definition: z.string().optional(),
  }),
  z.object({
    kind: z.literal('index.drop'),
    schema: z.string(),
    table: z.string(),
    name: z.string(),
    /** `pg_get_indexdef` of the index when it was judged: the rollback, and what apply re-checks before it drops. */
    definition: z.string(),
    /** Indexes that do its work, one of which must be there and valid before it may go. Absent: nothing depends on it. */
    replaced_by: z.array(indexDefinitionSchema).min(1).optional(),
    /** Of a partitioned table's index: those attached below it, parents before their children. Absent: a plain one. */
    partitions: z.array(partitionIndexSchema.extend({ definition: z.string() })).optional(),
    /** An existing index that does its work, which must be there and valid when it goes. Absent: there is none. */
    covered_by: existingIndexSchema.optional(),
  }),
  z.object({
    kind: z.literal('index.reindex'),
    schema: z.string(),
    table: z.string(),
    name: z.string(),
    /** `pg_get_indexdef` of the index when it was judged: what apply re-checks before it rebuilds. */
    definition: z.string(),
  }),
  z.object({
    kind: z.literal('setting'),
    name: z.string(),
    /** The proposed value as ALTER SYSTEM takes it, with its unit, e.g. `256MB`. */
    value: z.string(),
    /** Effective value when advised, as SHOW prints it. */
    current_value: z.string(),
    /** pg_settings.context: what it takes for the change to come into force. */
    context: z.string(),
    /** The entry of postgresql.auto.conf is taken out; `value` is what is expected to hold then. Absent: it is written. */
    reset: z.literal(true).optional(),
  }),
  scopedSetting.extend({ kind: z.literal('role.setting'), role: z.string() }),
  scopedSetting.extend({ kind: z.literal('database.setting'), database: z.string() }),
  scopedSetting.extend({
    kind: z.literal('role.database.setting'),
    role: z.string(),
    database: z.string(),
  }),
  z.object({
    kind: z.literal('table.reloptions'),
    schema: z.string(),
    table: z.string(),
    /** Options to set, e.g. `{ autovacuum_vacuum_scale_factor: '0.02' }`. */
    set: z.record(z.string(), z.string()),
    /** Options to take off the table, so that the server's settings hold again. Absent: none. */
    reset: z.array(z.string()).min(1).optional(),
    /** What each of those options was before; null where it was not set on the table. */
    previous: z.record(z.string(), z.string().nullable()),
    /** Further partitions of the same family that get the same options. Absent: this table alone. */
    others: z
      .array(
        z.object({
          schema: z.string(),
          table: z.string(),
          previous: z.record(z.string(), z.string().nullable()),
        }),
      )
      .min(1)
      .optional(),
  }),
  z.object({
    kind: z.literal('vacuum'),
    schema: z.string(),
    table: z.string(),
    /** FREEZE: every row version is frozen that may be, whatever its age. */
    freeze: z.boolean(),
    /** ANALYZE with it. */
    analyze: z.boolean(),
  }),
  z.object({
    kind: z.literal('statistics.create'),
    /** Of the table; the statistics live in its schema. */
    schema: z.string(),
    table: z.string(),
    name: z.string(),
    kinds: z.array(z.enum(statisticsKinds)).min(1),
    /** Unquoted, in the order of the statement. */
    columns: z.array(z.string()).min(2),
  }),
  z.object({ kind: z.literal('analyze'), schema: z.string(), table: z.string() }),
  /** Something to know or do by hand; nothing that the service can apply. */
  z.object({ kind: z.literal('finding') }),
]);
/** What a recommendation proposes to do. */
export type Change = z.infer<typeof changeSchema>;
export type ChangeKind = Change['kind'];

/** Kinds that the service itself can apply. */
export const APPLICABLE_KINDS: ReadonlySet<ChangeKind> = new Set([
  'index.create',
  'index.drop',
  'index.reindex',
  'setting',
  'role.setting',
  'database.setting',
  'role.database.setting',
  'table.reloptions',
  'statistics.create',
  'vacuum',
  'analyze',
]);
