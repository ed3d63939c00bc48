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

/** OIDs to be switched on the way from one configuration to another. */
export interface Switching {
  on: number[];
  off: number[];
}

/** OIDs that are switched other than on the target: candidates that are on, existing ones that are off. */
interface Switched {
  created: ReadonlySet<number>;
  hidden: ReadonlySet<number>;
}

export class IndexSwitch {
  readonly #admin: pg.Client;
  readonly #snapshot: Snapshot;
  /** OIDs of an existing index and of those that are part of it, by its key. */
  readonly #existing: ReadonlyMap<string, readonly number[]>;
  /** OIDs of a candidate's parts by its handle. */
  readonly #candidates = new Map<string, readonly number[]>();
  #now: Switched = { created: new Set(), hidden: new Set() };

  constructor(admin: pg.Client, snapshot: Snapshot, existing: readonly ExistingIndex[]) {
    this.#admin = admin;
    this.#snapshot = snapshot;
    const parts = new Map<number, number[]>(existing.map(({ oid }) => [oid, [oid]]));
    for (const { oid, parents } of existing) for (const parent of parents) parts.get(parent)?.push(oid);
    this.#existing = new Map(existing.map(({ key, oid }) => [key, parts.get(oid) ?? []]));
  }

  /** Makes a candidate known, which is switched off. */
  add(handle: string, oids: readonly number[]): void {
    this.#candidates.set(handle, oids);
  }

  /**
   * Switches only what differs, for all sessions: a planner reads pg_index anew when a row of it changes.
   * @throws PgLuthierError `candidate_unknown`, `index_unknown`.
   */
  to(configuration: Configuration): Promise<void> {
    return this.#become(this.#wanted(configuration));
  }

  /**
   * What has to be switched for each of these, from what is in force to the one and back again: by sessions that take it
   * back. What most of them have is put in force before.
   * @throws PgLuthierError `candidate_unknown`, `index_unknown`.
   */
  async around(configurations: readonly Configuration[]): Promise<Switching[]> {
    const wanted: Switched[] = [];
    for (const [place, configuration] of configurations.entries()) {
      const same = configuration === configurations[place - 1] ? wanted.at(-1) : undefined;
      wanted.push(same ?? this.#wanted(configuration));
    }
    const common = {
      created: inMost(wanted.map(({ created }) => created)),
      hidden: inMost(wanted.map(({ hidden }) => hidden)),
    };
    const switched = (from: Switched) => wanted.reduce((sum, each) => sum + count(difference(from, each)), 0);
    const there = count(difference(this.#now, common));
    if (there > 0 && there + switched(common) < switched(this.#now)) await this.#become(common);
    return wanted.map((each) => difference(this.#now, each));
  }

  async #become(wanted: Switched): Promise<void> {
    const { on, off } = difference(this.#now, wanted);
    if (on.length + off.length > 0) {
      await this.#admin.query({
        name: 'switch',
        text: 'UPDATE pg_index SET indisvalid = indexrelid = ANY ($1::oid[]) WHERE indexrelid = ANY ($2::oid[])',
        values: [on, [...on, ...off]],
      });
    }
    this.#now = wanted;
  }

  /** By what differs from the target as it is: of thousands of indexes few are ever switched. */
  #wanted({ created, hidden }: Configuration): Switched {
    const wanted = { created: new Set<number>(), hidden: new Set<number>() };
    for (const handle of created) {
      const parts = this.#candidates.get(handle);
      if (!parts) throw unknown('candidate_unknown', `No candidate ${handle} was made.`);
      for (const oid of parts) wanted.created.add(oid);
    }
    for (const key of hidden) {
      const parts = this.#existing.get(key);
      for (const oid of parts ?? []) wanted.hidden.add(oid);
      if (!parts && !this.#snapshot.indexes.some((row) => `${row.schema}.${row.name}` === key)) {
        throw unknown('index_unknown', `There is no index ${key} to hide.`);
      }
    }
    return wanted;
  }
}

/** On the way from one to the other. */
function difference(from: Switched, to: Switched): Switching {
  return {
    on: [...missing(from.created, to.created), ...missing(to.hidden, from.hidden)],
    off: [...missing(to.created, from.created), ...missing(from.hidden, to.hidden)],
  };
}

const count = ({ on, off }: Switching) => on.length + off.length;

/** What more than half of them have. */
function inMost(sets: readonly ReadonlySet<number>[]): Set<number> {
  const counts = new Map<number, number>();
  for (const set of sets) for (const one of set) counts.set(one, (counts.get(one) ?? 0) + 1);
  return new Set([...counts].flatMap(([one, times]) => (2 * times > sets.length ? [one] : [])));
}

/** What of the second is not in the first. */
const missing = (from: ReadonlySet<number>, of: ReadonlySet<number>) =>
  [...of].filter((oid) => !from.has(oid));

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
