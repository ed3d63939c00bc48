/**
 * Room rule. bench/index-workloads/ holds workloads that index selection is measured on, one a file: a snapshot of a
 * real server and the statements with their calls. Nothing here selects or judges.
 */
import pg from 'pg';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot, Workload } from '../../src/domain/index.ts';
import { startEmbedded } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { workloadFromFiles } from '../../src/workload/index.ts';

export interface IndexWorkload {
  name: string;
  snapshot: Snapshot;
  workload: Workload;
  /** Bytes of each budget; null: shares of what the advisor takes without one. */
  budgets: readonly number[] | null;
}

/** A workload whose data a script makes. */
export interface GeneratedWorkload {
  name: string;
  /** Makes tables and fills them; they are vacuumed and analysed then. */
  script: string;
  statements: readonly { calls: number; sql: string }[];
  /** Pages and rows of each table are multiplied by it, for filling large ones would only measure the disk. */
  growth: number;
}

export async function collectFrom(dsn: string): Promise<Snapshot> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:bench', readOnly: true });
  return collectSnapshot(session).finally(() => session.close());
}

/** Runs the script on an empty server and takes its snapshot. */
export async function generate(made: GeneratedWorkload): Promise<IndexWorkload> {
  const { name, script, statements, growth } = made;
  const server = await startEmbedded({
    name: `bench-${name}`,
    settings: { max_locks_per_transaction: '512' },
  });
  try {
    const dsn = server.dsn('postgres');
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    await client.query(script);
    await client.query('VACUUM ANALYZE').finally(() => client.end());
    const workload = await workloadFromFiles(
      statements.map(({ calls, sql }, position) => ({
        name: `${position}.sql`,
        text: `-- calls: ${calls}\n${sql};`,
      })),
    );
    const snapshot = await collectFrom(dsn);
    return { name, snapshot: growth === 1 ? snapshot : grown(snapshot, growth), workload, budgets: null };
  } finally {
    await server.stop('immediate');
  }
}

/** The same statistics over more rows and pages. */
export function grown(snapshot: Snapshot, growth: number): Snapshot {
  const more = (value: number) => (value > 0 ? value * growth : value);
  return {
    ...snapshot,
    tables: snapshot.tables.map((row) => ({
      ...row,
      relpages: more(row.relpages),
      reltuples: more(row.reltuples),
      relallvisible: more(row.relallvisible),
      main_pages: more(row.main_pages),
      n_live_tup: more(row.n_live_tup),
    })),
    indexes: snapshot.indexes.map((row) => ({
      ...row,
      relpages: more(row.relpages),
      reltuples: more(row.reltuples),
      main_pages: more(row.main_pages),
      size_bytes: more(row.size_bytes),
    })),
    schema: { ...snapshot.schema, btree_levels: {} },
  };
}
