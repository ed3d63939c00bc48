/** VACUUM and ANALYZE: they succeed when they have run. */
import { type Change, leavesOf, quoteQualified, sameLeaves, type TableRow } from '../../domain/index.ts';
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { deadRatio, tableRow } from './measures.ts';

export function verifyVacuum(
  { before, after }: VerifyInput,
  change: Extract<Change, { kind: 'vacuum' }>,
): Judgement {
  const table = quoteQualified(change.schema, change.table);
  if (!tableRow(after, change)) return judgement('inconclusive', `${table} is not there any more.`, false);
  // Of a partitioned table the leaves are vacuumed: its own row never says so.
  const leaves = sameLeaves(before.snapshot.tables, after.snapshot.tables, change);
  const newest = (row: TableRow) =>
    Math.max(...[row.last_vacuum, row.last_autovacuum].map((at) => (at ? Date.parse(at) : 0)));
  const [ageBefore, ageAfter] = [oldest(before, change), oldest(after, change)];
  const measures = [
    {
      name: 'share of dead rows',
      before: deadRatio(before, change),
      after: deadRatio(after, change),
      unit: 'share',
    },
    {
      name: 'age of its oldest transaction',
      before: ageBefore,
      after: ageAfter,
      unit: 'transactions',
    },
  ];
  const missed = leaves.filter(([was, is]) => newest(is) <= newest(was)).map(([, is]) => is);
  if (leaves.length === 0 || missed.length > 0) {
    const which = missed.map((row) => quoteQualified(row.schema, row.name)).join(', ') || table;
    return judgement('inconclusive', `${which} shows no newer vacuum.`, true, { measures });
  }
  if (change.freeze && ageBefore !== null && ageAfter !== null && ageAfter >= ageBefore) {
    return judgement(
      'inconclusive',
      `${table} was vacuumed, but its oldest transaction did not move: something holds it.`,
      true,
      { measures },
    );
  }
  return judgement('succeeded', `${table} has been vacuumed.`, false, { measures });
}

/** Highest xid_age of the tables that hold its rows; null: there are none, or one was not read. */
function oldest(
  { snapshot }: VerifyInput['before'],
  change: { schema: string; table: string },
): number | null {
  const ages = leavesOf(snapshot.tables, change).flatMap(({ xid_age }) => xid_age ?? Number.NaN);
  return ages.length === 0 || ages.some(Number.isNaN) ? null : Math.max(...ages);
}

export function verifyAnalyze(
  { before, after }: VerifyInput,
  change: Extract<Change, { kind: 'analyze' }>,
): Judgement {
  const table = quoteQualified(change.schema, change.table);
  const newest = (side: typeof before) => {
    const row = tableRow(side, change);
    return Math.max(...[row?.last_analyze, row?.last_autoanalyze].map((at) => (at ? Date.parse(at) : 0)));
  };
  if (!tableRow(after, change)) return judgement('inconclusive', `${table} is not there any more.`, false);
  return newest(after) > newest(before)
    ? judgement('succeeded', `${table} has new statistics.`, false)
    : judgement('inconclusive', `${table} shows no newer statistics.`, true);
}
