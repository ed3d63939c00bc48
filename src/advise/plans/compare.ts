/** Two plans of one statement, and what changed from the one to the other in terms of EXPLAIN. */
import { type PlanChange, type PlanTree, planChangeKinds } from '../../domain/index.ts';
import { type Access, type PlanFacts, planFacts } from './facts.ts';

/** Changes of one kind that are listed; the rest is counted. */
const LISTED = 8;
/** Characters of a condition, a key or a join order. */
const TEXT_LENGTH = 200;
/** Estimates that are closer are the same but for rounding. */
const SAME_ROWS = 0.01;

/**
 * What is different, in a fixed order: accesses in the order of the plan before, then joins, sorts, aggregates,
 * parallel work, other nodes, expected rows, and last the cost of all. Never longer than a person reads, however many
 * partitions there are. Plans that are the same give nothing.
 */
export function comparePlans(before: PlanTree, after: PlanTree): PlanChange[] {
  const [was, is] = [planFacts(before), planFacts(after)];
  const pairs = pairAccesses(was, is);
  const changes = [
    ...pairs.flatMap(accessChange),
    ...pairs.flatMap(conditionChanges),
    ...joinChanges(was, is),
    ...sortChanges(was, is),
    ...aggregateChanges(was, is),
    ...changeOf('parallel', 'parallel work', counted(was.gathers), counted(is.gathers)),
    ...otherChanges(was, is),
    ...rowChanges(pairs, before, after),
    ...costChange(before, after),
  ];
  return planChangeKinds.flatMap((kind) =>
    bounded(
      kind,
      changes.filter((change) => change.kind === kind),
    ),
  );
}

function bounded(kind: PlanChange['kind'], changes: PlanChange[]): PlanChange[] {
  if (changes.length <= LISTED) return changes;
  const rest = changes.length - LISTED + 1;
  const more: PlanChange = {
    kind,
    subject: null,
    before: null,
    after: null,
    text: `${rest} more changes of this kind (${kind})`,
  };
  return [...changes.slice(0, LISTED - 1), more];
}

/** One change, or none where both are the same. */
function changeOf(
  kind: PlanChange['kind'],
  subject: string | null,
  before: string | null,
  after: string | null,
): PlanChange[] {
  if (before === after) return [];
  const about = subject === null ? '' : `${cut(subject)}: `;
  if (before === null) return [{ kind, subject, before, after, text: `${about}${cut(after ?? '')} added` }];
  if (after === null) return [{ kind, subject, before, after, text: `${about}${cut(before)} gone` }];
  return [{ kind, subject, before, after, text: `${about}${cut(before)} → ${cut(after)}` }];
}

function cut(text: string): string {
  return text.length <= TEXT_LENGTH ? text : `${text.slice(0, TEXT_LENGTH)}…`;
}

/** `Seq Scan`, or `11 × Seq Scan, Index Scan`; null: nothing. */
function counted(words: Iterable<string>): string | null {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return countedMap(counts);
}

function countedMap(counts: ReadonlyMap<string, number>): string | null {
  if (counts.size === 0) return null;
  return [...counts].map(([word, times]) => (times === 1 ? word : `${times} × ${word}`)).join(', ');
}

interface Pair {
  was: Access | null;
  is: Access | null;
}

/** By the plan's name first; what is left by the relation, since names shift where a plan reads a table more often. */
function pairAccesses(before: PlanFacts, after: PlanFacts): Pair[] {
  const left = new Map(after.accesses);
  const pairs: Pair[] = [...before.accesses.values()].map((was) => {
    const same = left.get(was.key);
    const is = same?.relation === was.relation ? same : null;
    if (is) left.delete(was.key);
    return { was, is };
  });
  for (const pair of pairs) {
    if (pair.is !== null) continue;
    const other = [...left.values()].find(({ relation }) => relation === pair.was?.relation);
    if (!other) continue;
    pair.is = other;
    left.delete(other.key);
  }
  return [...pairs, ...[...left.values()].map((is) => ({ was: null, is }))];
}

function accessChange({ was, is }: Pair): PlanChange[] {
  const parts = Math.max(was?.parts ?? 0, is?.parts ?? 0);
  const partitioned = was?.partitioned || is?.partitioned;
  const many = parts > 1 ? ` (${parts} ${partitioned ? 'partitions' : 'scans'})` : '';
  const subject = `${(was ?? is)?.label ?? ''}${many}`;
  return changeOf('access', subject, methodOf(was, parts), methodOf(is, parts));
}

/** Of scans with many indexes (each partition has its own) their names are left out. */
function methodOf(access: Access | null, parts: number): string | null {
  if (access === null) return null;
  const { methods, kinds } = access;
  const [method] = methods.keys();
  const [kind] = kinds.keys();
  if (access.parts === parts && methods.size === 1) return method ?? null;
  if (access.parts === parts && kinds.size === 1) return `${kind} using ${methods.size} indexes`;
  return countedMap(methods.size <= 2 ? methods : kinds);
}

/** Of what is read in the same way: a condition that went into the index, or changed. */
function conditionChanges({ was, is }: Pair): PlanChange[] {
  if (!was?.conditions || !is?.conditions || methodOf(was, 1) !== methodOf(is, 1)) return [];
  const [before, after] = [was.conditions, is.conditions];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) =>
    changeOf('condition', `${was.label}, ${name}`, before.get(name) ?? null, after.get(name) ?? null),
  );
}

function joinChanges(before: PlanFacts, after: PlanFacts): PlanChange[] {
  const ids = new Set([...before.joins, ...after.joins].map(({ id }) => id));
  const [orderBefore, orderAfter] = [before.join_order, after.join_order];
  const there = ({ joins }: PlanFacts) => new Set(joins.map(({ id }) => id));
  const [was, is] = [there(before), there(after)];
  const reordered = [...ids].some((id) => was.has(id) !== is.has(id)) && orderBefore !== orderAfter;
  const changes = [...ids].flatMap((id) => {
    // Of a join that the other order does not have, the order says enough.
    if (reordered && was.has(id) !== is.has(id)) return [];
    const of = ({ joins }: PlanFacts) => joins.filter((join) => join.id === id);
    const label = [...of(before), ...of(after)][0]?.label ?? '';
    return changeOf(
      'join',
      label,
      counted(of(before).map(({ method }) => method)),
      counted(of(after).map(({ method }) => method)),
    );
  });
  return [...(reordered ? changeOf('join', 'join order', orderBefore, orderAfter) : []), ...changes];
}

function sortChanges(before: PlanFacts, after: PlanFacts): PlanChange[] {
  return keysOf(before.sorts, after.sorts).flatMap((key) => {
    const [was, is] = [before.sorts, after.sorts].map((sorts) => counted(sorts.get(key) ?? []));
    return changeOf('sort', `sort by ${key}`, was ?? null, is ?? null);
  });
}

function aggregateChanges(before: PlanFacts, after: PlanFacts): PlanChange[] {
  const changes: PlanChange[] = [];
  const gone: { subject: string; word: string }[] = [];
  const come: { subject: string; word: string }[] = [];
  for (const key of keysOf(before.aggregates, after.aggregates)) {
    const was = counted(before.aggregates.get(key) ?? []);
    const is = counted(after.aggregates.get(key) ?? []);
    const subject = key === '' ? 'aggregate' : `group by ${key}`;
    if (was !== null && is !== null) changes.push(...changeOf('aggregate', subject, was, is));
    else if (was !== null) gone.push({ subject, word: was });
    else if (is !== null) come.push({ subject, word: is });
  }
  // Unique shows no key, so a DISTINCT that changes its way has one with and one without.
  for (let place = 0; place < Math.max(gone.length, come.length); place += 1) {
    const [was, is] = [gone[place], come[place]];
    const subject = was?.subject === 'aggregate' ? (is ?? was).subject : (was ?? is)?.subject;
    changes.push(...changeOf('aggregate', subject ?? 'aggregate', was?.word ?? null, is?.word ?? null));
  }
  return changes;
}

function otherChanges(before: PlanFacts, after: PlanFacts): PlanChange[] {
  return keysOf(before.others, after.others).flatMap((name) => {
    const [was, is] = [before.others.get(name), after.others.get(name)];
    if (was === undefined || is === undefined) {
      const word = was === undefined ? 'added' : 'gone';
      const text = `${name} ${word}`;
      return [{ kind: 'node' as const, subject: name, before: times(was), after: times(is), text }];
    }
    return changeOf('node', name, times(was), times(is));
  });
}

const times = (number: number | undefined) => (number === undefined ? null : String(number));

function keysOf(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])];
}

/** Of relations that both plans read once, and of the result: new statistics, e.g. of an expression, change them. */
function rowChanges(pairs: readonly Pair[], before: PlanTree, after: PlanTree): PlanChange[] {
  const rows = (subject: string, was: number | null | undefined, is: number | null | undefined) =>
    was == null || is == null || Math.abs(was - is) <= SAME_ROWS * Math.max(was, is)
      ? []
      : changeOf('rows', subject, amount(was), amount(is));
  return [
    ...pairs.flatMap(({ was, is }) =>
      was?.parts === is?.parts ? rows(`rows of ${was?.label}`, was?.rows, is?.rows) : [],
    ),
    ...rows('rows of the result', before.rows, after.rows),
  ];
}

function costChange(before: PlanTree, after: PlanTree): PlanChange[] {
  return changeOf('cost', 'cost', amount(before.total_cost), amount(after.total_cost));
}

const amount = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 });
