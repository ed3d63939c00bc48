/** Which indexes exist, to the planner: pg_index.indisvalid is switched, for it plans with valid ones only. */
import type pg from 'pg';
import { type Configuration, PgLuthierError, type Snapshot } from '../../domain/index.ts';

/** An index of the target as the twin has it. */
export interface ExistingIndex {
  oid: number;
  /** `schema.name`, as configurations and answers name it. */
  key: string;
  /** As the target's plans name it. */
  name: string;
  /** As the twin's plans name it: unique, though two schemas may have indexes of one name. */
  plan_name: string;
  /** OIDs of the partitioned indexes that it is part of. */
  parents: number[];
}

export class IndexSwitch {
  readonly #admin: pg.Client;
  readonly #snapshot: Snapshot;
  readonly #existing: readonly ExistingIndex[];
  /** OIDs of a candidate's parts by its handle. */
  readonly #candidates = new Map<string, readonly number[]>();
  /** OIDs that are switched on right now, of those that may be switched. */
  readonly #on: Set<number>;

  constructor(admin: pg.Client, snapshot: Snapshot, existing: readonly ExistingIndex[]) {
    this.#admin = admin;
    this.#snapshot = snapshot;
    this.#existing = existing;
    this.#on = new Set(existing.map((row) => row.oid));
  }

  /** Makes a candidate known, which is switched off. */
  add(handle: string, oids: readonly number[]): void {
    this.#candidates.set(handle, oids);
  }

  /**
   * Switches only what differs: a planner reads pg_index anew when a row of it changes.
   * @throws PgLuthierError `candidate_unknown`, `index_unknown`.
   */
  async to(configuration: Configuration): Promise<void> {
    const wanted = new Set<number>();
    for (const handle of configuration.created) {
      const parts = this.#candidates.get(handle);
      if (!parts) throw unknown('candidate_unknown', `No candidate ${handle} was made.`);
      for (const oid of parts) wanted.add(oid);
    }
    const hidden = new Set<number>();
    for (const key of configuration.hidden) {
      const index = this.#existing.find((row) => row.key === key);
      if (index) hidden.add(index.oid);
      else if (!this.#snapshot.indexes.some((row) => `${row.schema}.${row.name}` === key)) {
        throw unknown('index_unknown', `There is no index ${key} to hide.`);
      }
    }
    for (const { oid, parents } of this.#existing) {
      if (!hidden.has(oid) && !parents.some((parent) => hidden.has(parent))) wanted.add(oid);
    }
    const on = [...wanted].filter((oid) => !this.#on.has(oid));
    const off = [...this.#on].filter((oid) => !wanted.has(oid));
    if (on.length + off.length === 0) return;
    await this.#admin.query({
      name: 'switch',
      text: 'UPDATE pg_index SET indisvalid = indexrelid = ANY ($1::oid[]) WHERE indexrelid = ANY ($2::oid[])',
      values: [on, [...on, ...off]],
    });
    for (const oid of on) this.#on.add(oid);
    for (const oid of off) this.#on.delete(oid);
  }
}

function unknown(code: string, message: string): PgLuthierError {
  return new PgLuthierError({ code, status: 422, message });
}

/** Existing valid indexes; one whose name occurs twice is renamed, for plans say no schema. */
export async function nameIndexes(admin: pg.Client): Promise<ExistingIndex[]> {
  const { rows } = await admin.query<ExistingIndex & { shared: boolean }>(
    `SELECT i.indexrelid::int4 AS oid, n.nspname || '.' || c.relname AS key, c.relname AS name,
            count(*) OVER (PARTITION BY c.relname) > 1 AS shared,
            CASE WHEN count(*) OVER (PARTITION BY c.relname) > 1 THEN 'pgluthier_index_' || i.indexrelid ELSE c.relname END AS plan_name,
            ARRAY(SELECT relid::oid::int4 FROM pg_partition_ancestors(i.indexrelid) WHERE relid <> i.indexrelid) AS parents
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE i.indisvalid AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
  );
  const shared = rows.filter((row) => row.shared);
  await admin.query(
    'UPDATE pg_class SET relname = given.name FROM unnest($1::oid[], $2::name[]) AS given (oid, name) WHERE pg_class.oid = given.oid',
    [shared.map((row) => row.oid), shared.map((row) => row.plan_name)],
  );
  return rows.map(({ shared: _, ...row }) => row);
}
