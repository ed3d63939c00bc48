/** Partitions of one family that want the same: one advice for all of them instead of one each. */
import type { Change, RecommendationDraft, Snapshot, TableRow } from '../../domain/index.ts';
import { measured } from '../settings/facts.ts';
import { previousOf } from './table-draft.ts';

export interface Advised {
  table: TableRow;
  draft: RecommendationDraft;
}

/** The farthest that a value of one leaf may be from the family's, either way. */
const ALIKE_FACTOR = 2;
const NAMED = 8;

/** The partitioned table at the top of a partition's family; null: it is no partition, or the top is not seen. */
export function familyOf(table: TableRow, snapshot: Snapshot): TableRow | null {
  let top: TableRow | null = null;
  let at: TableRow | undefined = table;
  while (at?.is_partition && at.parent_oid !== null) {
    const parent: number = at.parent_oid;
    at = snapshot.tables.find((row) => row.oid === parent);
    if (at) top = at;
  }
  return top;
}

/** Drafts in their order; those of alike leaves become one, at the place of the first. */
export function joinFamilies(advised: readonly Advised[], snapshot: Snapshot): RecommendationDraft[] {
  const groups = new Map<string, { top: TableRow | null; members: Advised[] }>();
  for (const one of advised) {
    const top = familyOf(one.table, snapshot);
    const key = top ? `${top.oid} ${names(one.draft).join(' ')}` : `table ${one.table.oid}`;
    const group = groups.get(key) ?? { top, members: [] };
    group.members.push(one);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(({ top, members }) =>
    top && members.length > 1 ? joinAlike(top, members) : members.map(({ draft }) => draft),
  );
}

type Reloptions = Extract<Change, { kind: 'table.reloptions' }>;
const changeOf = (draft: RecommendationDraft): Reloptions | null =>
  draft.change.kind === 'table.reloptions' ? draft.change : null;

function names(draft: RecommendationDraft): string[] {
  const change = changeOf(draft);
  return change ? [...Object.keys(change.set), ...(change.reset ?? []).map((name) => `-${name}`)].sort() : [];
}

function joinAlike(top: TableRow, members: readonly Advised[]): RecommendationDraft[] {
  const [first] = members;
  const change = first && changeOf(first.draft);
  if (!first || !change) return members.map(({ draft }) => draft);
  const values = (name: string) => members.map(({ draft }) => changeOf(draft)?.set[name] ?? '');
  const set = Object.fromEntries(Object.keys(change.set).map((name) => [name, middle(values(name))]));
  const alike = (one: Advised) =>
    Object.entries(set).every(
      ([name, value]) =>
        near(changeOf(one.draft)?.set[name] ?? '', value) && previousOf(one.table, [name])[name] !== value,
    );
  const joined = members.filter(alike);
  const [head, ...others] = joined;
  if (!head || others.length === 0) return members.map(({ draft }) => draft);
  const parameters = [...Object.keys(set), ...(change.reset ?? [])];
  const family = `${top.schema}.${top.name}`;
  const topic = head.draft.key.split(' ').at(-1) ?? '';
  const draft: RecommendationDraft = {
    ...head.draft,
    change: {
      ...change,
      schema: head.table.schema,
      table: head.table.name,
      set,
      previous: previousOf(head.table, parameters),
      others: others.map(({ table }) => ({
        schema: table.schema,
        table: table.name,
        previous: previousOf(table, parameters),
      })),
    },
    key: `table.reloptions ${family} partitions ${topic}`,
    title: `${joined.length} partitions of ${family}: ${Object.entries(set)
      .map(([name, value]) => `${name} = ${value}`)
      .concat((change.reset ?? []).map((name) => `${name} off`))
      .join(', ')}`,
    rationale: `${joined.length} partitions of ${family} want the same. Of ${head.table.name}: ${head.draft.rationale}`,
    evidence: [
      measured(
        'partitions alike',
        `${joined
          .slice(0, NAMED)
          .map(({ table }) => table.name)
          .join(', ')}${joined.length > NAMED ? ` and ${joined.length - NAMED} more` : ''}`,
        null,
        `pg_inherits; each judged by itself, their values within a factor of ${ALIKE_FACTOR}`,
      ),
      ...head.draft.evidence,
    ],
    risk: {
      ...head.draft.risk,
      notes: [
        ...head.draft.risk.notes,
        'A new partition does not inherit storage parameters: whatever makes partitions should set them as well.',
        'Its evidence is that of the first partition named.',
      ],
    },
  };
  return [draft, ...members.filter((one) => !alike(one)).map((one) => one.draft)];
}

/** The middle one of numbers, as it was written; of words the first. */
function middle(values: readonly string[]): string {
  const sorted = values.toSorted((a, b) => Number(a) - Number(b));
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? '';
}

function near(value: string, other: string): boolean {
  if (value === other) return true;
  const [a, b] = [Number(value), Number(other)];
  return a > 0 && b > 0 && Math.max(a, b) <= ALIKE_FACTOR * Math.min(a, b);
}
