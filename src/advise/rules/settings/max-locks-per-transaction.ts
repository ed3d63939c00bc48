/** max_locks_per_transaction against partitioned tables and the number of relations. */
import type { Rule, RuleContext } from '../../../domain/index.ts';
import { computed, limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'settings/max-locks-per-transaction';
const NAME = 'max_locks_per_transaction';
/** Above this share of the table one statement, or a few, may fill it. */
const NEAR = 0.5;
const MOST = 4096;
/** Bytes of shared memory that a lock takes (LOCK and PROCLOCK with their hash entries, 14 to 18), about. */
const LOCK_BYTES = 270;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Partitions and their indexes may fill the lock table',
  description:
    'A statement that prunes no partition locks each with all its indexes, and pg_dump locks every table; the table of locks has room for ' +
    'max_locks_per_transaction × (max_connections + max_prepared_transactions). Fires where the largest partition tree × the sessions at work ' +
    '(95th percentile, at least 1), or all tables together, need more than half of that: the next power of two that makes it a quarter. ' +
    'Left to a person: it wants a restart, first on standbys.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    const connections = Number(setting(context, 'max_connections')?.setting);
    const prepared = Number(setting(context, 'max_prepared_transactions')?.setting ?? 0);
    if (!row || !Number.isFinite(connections)) return limited(settingNotVisible(`${NAME}, max_connections`));
    const present = Number(row.setting);
    const tree = largestTree(context);
    const tables = context.snapshot.tables.length;
    const active = Math.max(1, context.window?.concurrency?.active_p95 ?? 1);
    const needed = Math.max((tree?.locks ?? 0) * active, tables);
    const room = present * (connections + prepared);
    const words = `${needed} lock(s) may be wanted at once, ${room} have room`;
    if (needed <= NEAR * room) {
      return rejected({ rule: ID, candidate: NAME, code: 'room_enough', reason: words });
    }
    const value = Math.min(MOST, 2 ** Math.ceil(Math.log2((4 * needed) / (connections + prepared))));
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `power of two ≥ 4 × ${needed} locks ÷ (${connections} connections + ${prepared} prepared), at most ${MOST}`,
      why: `${words}: statements fail with "out of shared memory" when it is full.`,
      unless: 'Statements that always prune to a few partitions, and no pg_dump, need fewer.',
      severity: needed > room ? 'medium' : 'low',
      confidence: 0.6,
      direction: 'raise',
      observed: needed > room,
      evidence: [
        measured('tables of this database', tables, 'tables', 'pg_class'),
        ...(tree
          ? [
              measured('partitions and indexes of the largest tree', tree.locks, 'locks', tree.name),
              computed(
                'locks of it by sessions at work',
                tree.locks * active,
                'locks',
                `${tree.locks} × ${active}`,
              ),
            ]
          : []),
        computed(
          'locks that have room',
          room,
          'locks',
          `${present} × (max_connections ${connections} + max_prepared_transactions ${prepared})`,
        ),
        computed(
          'shared memory that it takes more',
          (value - present) * (connections + prepared) * LOCK_BYTES,
          'bytes',
          `(${value} − ${present}) × ${connections + prepared} × ${LOCK_BYTES} bytes`,
        ),
      ],
      byHand: 'PgLuthier does not write it: standbys must have it first.',
    });
  },
};

/** The partitioned table with most relations below it, indexes included; null: there is none. */
function largestTree({ snapshot }: RuleContext): { name: string; locks: number } | null {
  const parent = new Map(snapshot.tables.map(({ oid, parent_oid }) => [oid, parent_oid]));
  const rootOf = (oid: number): number => {
    let at = oid;
    for (let above = parent.get(at) ?? null; above !== null; above = parent.get(at) ?? null) at = above;
    return at;
  };
  const locks = new Map<number, number>();
  const add = (oid: number) => locks.set(rootOf(oid), (locks.get(rootOf(oid)) ?? 0) + 1);
  for (const { oid } of snapshot.tables) add(oid);
  for (const { table_oid } of snapshot.indexes) add(table_oid);
  const roots = snapshot.tables
    .filter(({ relkind, parent_oid }) => relkind === 'p' && parent_oid === null)
    .map(({ oid, schema, name }) => ({ name: `${schema}.${name}`, locks: locks.get(oid) ?? 0 }));
  return roots.sort((a, b) => b.locks - a.locks)[0] ?? null;
}
