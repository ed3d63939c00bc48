/** VACUUM and ANALYZE: they succeed when they have run. */
import { type Change, quoteQualified } from '../../domain/index.ts';
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { deadRatio, tableRow } from './measures.ts';

export function verifyVacuum(
  { before, after }: VerifyInput,
  change: Extract<Change, { kind: 'vacuum' }>,
): Judgement {
  const table = quoteQualified(change.schema, change.table);
  const [earlier, later] = [tableRow(before, change), tableRow(after, change)];
  if (!later) return judgement('inconclusive', `${table} is not there any more.`, false);
  const newest = (row: typeof later | undefined) =>
    Math.max(...[row?.last_vacuum, row?.last_autovacuum].map((at) => (at ? Date.parse(at) : 0)));
  const measures = [
    {
      name: 'share of dead rows',
      before: deadRatio(before, change),
      after: deadRatio(after, change),
      unit: 'share',
    },
    {
      name: 'age of its oldest transaction',
      before: earlier?.xid_age ?? null,
      after: later.xid_age,
      unit: 'transactions',
    },
  ];
  // Of a partitioned table the leaves are vacuumed: its own row never says so.
  if (later.relkind !== 'p' && newest(later) <= newest(earlier)) {
    return judgement('inconclusive', `${table} shows no newer vacuum.`, true, { measures });
  }
  const [ageBefore, ageAfter] = [earlier?.xid_age ?? null, later.xid_age];
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
