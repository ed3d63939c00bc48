/** The indexes of one run: contenders that the statements asked for, those made out of good sets, and what they replace. */
import type { RuleContext, WhatIf } from '../../domain/index.ts';
import type { Candidate } from './candidates.ts';
import { keyOfDrop } from './drop.ts';
import { indexesThatMayLeave, type Leaving } from './leaving.ts';
import { CandidateMaker, type Made } from './make-candidates.ts';
import { mergedCandidates, shortenedCandidates } from './merge.ts';
import type { Contender, SelectionInput } from './selection.ts';
import { candidatesOfBefore, markStanding, standingByKey, withoutDismissed } from './standing.ts';
import type { AdvisorStatement } from './statement.ts';
import { registerCandidates, type Weighing, weighCandidates } from './weigh.ts';

/** Candidates that are made out of one set at most. */
const MAX_DERIVED = 2000;

export interface IndexesOfRun extends Pick<SelectionInput, 'widen'> {
  contenders: Contender[];
  leaving: Leaving[];
  indexesOn: SelectionInput['indexes_on'];
  /** Handles of all candidates that were made. */
  all(): string[];
}

/** Makes and weighs the candidates. */
export async function openRun(
  context: RuleContext,
  whatIf: WhatIf,
  run: Omit<Weighing, 'maker' | 'made'>,
): Promise<IndexesOfRun> {
  const { statements, book } = run;
  const maker = new CandidateMaker(context, whatIf, statements, run);
  const standing = standingByKey(context, run.rule);
  const all = await maker.fromStatements();
  all.push(...(await maker.more(candidatesOfBefore(standing, maker, { ...run, made: all }))));
  markStanding(all, standing);
  const made = await withoutDismissed(all, standing, { ...run, maker });
  const contenders = withCommitted(await weighCandidates(context, { ...run, maker, made }), made, run);
  const handles = made.map(({ contender }) => contender.handle);
  const letLeave = (among: readonly Contender[]): Leaving[] => {
    const found = indexesThatMayLeave(context.snapshot, among, maker, book.present);
    const leaving = found.filter((one) => !standing.get(keyOfDrop(one.index))?.dismissal);
    for (const one of leaving) if (standing.has(keyOfDrop(one.index))) one.standing = true;
    for (const one of leaving) book.letLeave(one, maker.touching(one.table_oid));
    return leaving;
  };
  return {
    contenders,
    leaving: letLeave(contenders),
    indexesOn: (oid) => maker.catalog.tables.get(oid)?.indexes.length ?? 0,
    all: () => handles,
    widen: async (chosen) => {
      const derived = await maker.more(derivedFrom(chosen, maker));
      registerCandidates(derived, { maker, book });
      for (const { contender } of derived) handles.push(contender.handle);
      const more = derived.map(({ contender }) => contender);
      return { contenders: more, leaving: letLeave(more) };
    },
  };
}

/** What is decided on is a contender whether or not it helps this night. */
function withCommitted(
  contenders: readonly Contender[],
  made: readonly Made[],
  { rejections }: Pick<Weighing, 'rejections'>,
): Contender[] {
  const there = new Set(contenders);
  const more = made.flatMap(({ contender }) =>
    contender.standing === 'committed' && !there.has(contender) ? [contender] : [],
  );
  for (const { candidate } of more) {
    const place = rejections.findIndex((one) => one.candidate === candidate.key && one.code === 'no_gain');
    if (place !== -1) rejections.splice(place, 1);
  }
  return [...contenders, ...more];
}

/** Made out of the members of a set and, where they could do an existing index's work too, out of that. */
function derivedFrom(
  chosen: readonly Contender[],
  maker: CandidateMaker,
): { candidate: Candidate; by: AdvisorStatement[] }[] {
  const byTable = new Map<number, Contender[]>();
  for (const one of chosen) byTable.set(one.table_oid, [...(byTable.get(one.table_oid) ?? []), one]);
  const derived: { candidate: Candidate; by: AdvisorStatement[] }[] = [];
  for (const [oid, members] of byTable) {
    const by = [...maker.touching(oid)];
    const found = members.flatMap(({ candidate }, position) => [
      ...shortenedCandidates(candidate),
      ...members.slice(position + 1).flatMap((other) => mergedCandidates(candidate, other.candidate)),
    ]);
    for (const candidate of found) derived.push({ candidate, by });
  }
  return derived.slice(0, MAX_DERIVED);
}
