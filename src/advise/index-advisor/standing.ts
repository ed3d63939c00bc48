/**
 * What stands from earlier nights among the candidates of this one: indexes that are advised or decided on are looked at
 * again whether or not a statement asks for them, and those that a person set aside are no candidates.
 */
import {
  evidenceChange,
  type IndexDefinition,
  isCommitted,
  quoteQualified,
  type Rejection,
  type RuleContext,
  type StandingAdvice,
} from '../../domain/index.ts';
import { savedAlone, savedShares } from './alone.ts';
import { type Candidate, makeCandidate, tableOf } from './candidates/candidate.ts';
import type { CandidateMaker, Made } from './make-candidates.ts';
import { normalisedDefinition } from './naming.ts';
import type { PlanBook } from './search/plan-book.ts';
import type { Contender } from './selection.ts';
import { registerCandidates } from './weigh-questions.ts';

/** The identity of an index in the advice of every night. */
export const keyOfIndex = (candidateKey: string) => `index.create ${candidateKey}`;

/** Advice of this rule by its key. */
export function standingByKey({ standing = [] }: RuleContext, rule: string): Map<string, StandingAdvice> {
  return new Map(standing.filter((advice) => advice.rule === rule).map((advice) => [advice.key, advice]));
}

/**
 * Indexes of earlier nights that this night's statements did not ask for by themselves: merged ones, and those whose
 * statements are gone. One whose table is gone is rejected here.
 */
export function candidatesOfBefore(
  standing: ReadonlyMap<string, StandingAdvice>,
  maker: CandidateMaker,
  { made, rejections, rule }: { made: readonly Made[]; rejections: Rejection[]; rule: string },
): { candidate: Candidate; by: Made['by'] }[] {
  const there = new Set(made.map(({ contender }) => keyOfIndex(contender.candidate.key)));
  return [...standing.values()].flatMap(({ key, change }) => {
    if (change.kind !== 'index.create' || there.has(key)) return [];
    const { index } = change;
    const candidate = normalisedDefinition(index);
    const gone = (code: string, reason: string) => {
      const table = quoteQualified(index.schema, index.table);
      rejections.push({ rule, candidate, code, reason, table });
      return [];
    };
    const table = [...maker.catalog.tables.values()].find(
      ({ row }) => row.schema === index.schema && row.name === index.table,
    );
    if (table === undefined) return gone('table_gone', 'its table is not there any more');
    const missing = columnsOf(index).find((name) => !table.columns.has(name));
    if (missing !== undefined) return gone('column_gone', `its column ${missing} is not there any more`);
    const by = [...maker.touching(table.row.oid)];
    if (by.length === 0) return gone('no_statement', 'no statement of the workload uses its table any more');
    return [{ candidate: again(index, table, made), by }];
  });
}

const columnsOf = (index: IndexDefinition) => [
  ...index.keys.flatMap((key) => key.column ?? []),
  ...index.include,
];

function again(index: IndexDefinition, table: Candidate['table'], made: readonly Made[]): Candidate {
  const { method, keys, include, where, options } = index;
  // What is known of a condition, where another candidate has the same one; else the planner is asked.
  const alike = made.find(
    ({ contender: { candidate } }) =>
      candidate.table.row.oid === table.row.oid && candidate.definition.where === where,
  );
  const conditions =
    alike?.contender.candidate.conditions ??
    (where === null ? [] : [{ sql: where, share: 1, is_lasting: true }]);
  return makeCandidate(table, keys, { method, include, options, conditions });
}

/**
 * Takes out those that were dismissed, unless what spoke for them changed: the set must not count on them, nor on the
 * same index in other clothes. What each would save by itself is asked of the planner.
 */
export async function withoutDismissed(
  made: readonly Made[],
  standing: ReadonlyMap<string, StandingAdvice>,
  run: { maker: CandidateMaker; book: PlanBook; base: number; rejections: Rejection[]; rule: string },
): Promise<Made[]> {
  const kept: Made[] = [];
  const away: Made[] = [];
  for (const item of made) {
    const { candidate } = item.contender;
    const dismissal = standing.get(keyOfIndex(candidate.key))?.dismissal;
    if (!dismissal) {
      kept.push(item);
      continue;
    }
    registerCandidates([item], run);
    const saving = await savedAlone(item.contender, run.maker.touching(candidate.table.row.oid), run.book);
    const now = savedShares(saving, run.base);
    // How severe it would be is not known before it is chosen; what it saves is.
    if (evidenceChange(dismissal.evidence, { ...now, severity: 'info' }) !== null) kept.push(item);
    else {
      away.push(item);
      run.rejections.push({
        ...dismissed(candidate.key, run.rule, dismissal, now),
        table: tableOf(candidate),
      });
    }
  }
  return kept.filter(({ contender }) => {
    const other = away.find((one) => isInOtherClothes(contender, one.contender));
    if (!other || contender.standing) return true;
    const reason = `it has the keys of ${other.contender.candidate.key}, which was dismissed, and is no smaller`;
    run.rejections.push({
      rule: run.rule,
      candidate: contender.candidate.key,
      code: 'dismissed',
      reason,
      table: tableOf(contender.candidate),
    });
    return false;
  });
}

/** The same keys over the same rows, with more included or of another kind: a person who refused the one did so of it. */
function isInOtherClothes(one: Contender, refused: Contender): boolean {
  const keys = ({ candidate }: Contender) =>
    JSON.stringify([
      candidate.definition.keys.map((key) => key.column ?? key.expression),
      candidate.definition.where,
    ]);
  return (
    one.table_oid === refused.table_oid && one.size_bytes >= refused.size_bytes && keys(one) === keys(refused)
  );
}

function dismissed(
  candidate: string,
  rule: string,
  { actor, at, reason, evidence }: NonNullable<StandingAdvice['dismissal']>,
  now: { saved_share: number },
): Rejection {
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  const then = evidence.saved_share === null ? '' : `, ${percent(evidence.saved_share)} then`;
  return {
    rule,
    candidate,
    code: 'dismissed',
    reason: `dismissed by ${actor} on ${at}${reason === null ? '' : ` (${reason})`}; it saves ${percent(now.saved_share)} of the workload's cost now${then}, so the set was chosen without it`,
  };
}

/** Marks what is advised already, and what is decided on: the search keeps the one and counts on the other. */
export function markStanding(made: readonly Made[], standing: ReadonlyMap<string, StandingAdvice>): void {
  for (const { contender } of made) {
    const advice = standing.get(keyOfIndex(contender.candidate.key));
    if (!advice) continue;
    if (isCommitted(advice)) contender.standing = 'committed';
    else if (advice.state === 'open') contender.standing = 'open';
  }
}
