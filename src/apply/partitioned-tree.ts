/** What of an index on a partitioned table is there already, and which statements are still missing. */
import {
  type Change,
  type IndexDefinition,
  type PartitionIndex,
  quoteQualified,
  renderIndexDefinition,
} from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { type IndexFacts, indexesOf, resemblesDefinition } from './index-facts.ts';
import { findRelation } from './relation.ts';

export type PartitionedCreate = Extract<Change, { kind: 'index.create' }> & { partitions: PartitionIndex[] };

export const isPartitioned = (
  change: Extract<Change, { kind: 'index.create' }>,
): change is PartitionedCreate => (change.partitions?.length ?? 0) > 0;

/** Is this index what the plan asks for on its table? */
export type Matches = (found: IndexFacts, definition: IndexDefinition) => boolean;

/** By the catalog's texts alone: all that a session that only reads can do. */
export const matchesByText: Matches = (found, definition) => resemblesDefinition(found.form, definition);

/** One table of the tree with the index that it has or gets. The top's `parent` is null. */
export interface Member {
  schema: string;
  table: string;
  /** The name that the plan gives to its index. */
  name: string;
  leaf: boolean;
  /** Key of the table above. */
  parent: string | null;
  definition: IndexDefinition;
}

/** The top first, then the plan's partitions, parents before their children. */
export function membersOf({ index, partitions }: PartitionedCreate): Member[] {
  const byIndex = new Map<string, string>([
    [keyOf(index.schema, index.name), keyOf(index.schema, index.table)],
  ]);
  for (const { schema, name, table } of partitions) byIndex.set(keyOf(schema, name), keyOf(schema, table));
  const top = { schema: index.schema, table: index.table, name: index.name };
  return [
    { ...top, leaf: false, parent: null, definition: index },
    ...partitions.map(({ schema, table, name, leaf, parent_schema, parent_name }) => ({
      schema,
      table,
      name,
      leaf,
      parent: byIndex.get(keyOf(parent_schema, parent_name)) ?? null,
      definition: { ...index, schema, table, name },
    })),
  ];
}

const keyOf = (schema: string, name: string) => `${schema}\0${name}`;

/** What one member has now. `attached`: to the index of the table above it. */
export interface MemberState {
  member: Member;
  index: Pick<IndexFacts, 'oid' | 'schema' | 'name' | 'is_valid'> | null;
  attached: boolean;
}

/**
 * The tree as it is. Of a member the equal index counts that has the plan's name, or else a valid one that serves no
 * constraint and is attached to nothing or to the right parent: an index that is there is not built again. It asks for
 * each member, so that a tree of a thousand takes seconds: between two statements `refreshed` is enough.
 */
export async function treeState(
  session: TargetSession,
  change: PartitionedCreate,
  matches: Matches = matchesByText,
): Promise<MemberState[]> {
  const states: MemberState[] = [];
  const oids = new Map<string, number>();
  for (const member of membersOf(change)) {
    const parentOid = member.parent === null ? undefined : oids.get(member.parent);
    const state = await memberState(session, member, parentOid, matches);
    if (state.index) oids.set(keyOf(member.schema, member.table), state.index.oid);
    states.push(state);
  }
  return states;
}

/** The same states, but that this member's is read anew. */
export async function refreshed(
  session: TargetSession,
  states: readonly MemberState[],
  member: Member,
  matches: Matches,
): Promise<MemberState[]> {
  const parent = states.find((state) => keyOf(state.member.schema, state.member.table) === member.parent);
  const now = await memberState(session, member, parent?.index?.oid, matches);
  return states.map((state) => (state.member === member ? now : state));
}

/** @param parentOid of the index of the table above; undefined: it has none, or the member is the top. */
async function memberState(
  session: TargetSession,
  member: Member,
  parentOid: number | undefined,
  matches: Matches,
): Promise<MemberState> {
  const relation = await findRelation(session, member.schema, member.table);
  const found = relation ? await indexesOf(session, relation.oid) : [];
  const equal = found.filter((one) => matches(one, member.definition) && one.constraints.length === 0);
  const attachedTo = await parentsOf(
    session,
    equal.map(({ oid }) => oid),
  );
  const isOurs = (one: IndexFacts) =>
    one.is_valid && (!attachedTo.has(one.oid) || attachedTo.get(one.oid) === parentOid);
  const index =
    equal.find((one) => one.name === member.name) ??
    (member.parent === null
      ? undefined
      : (equal.find((one) => isOurs(one) && attachedTo.has(one.oid)) ?? equal.find(isOurs)));
  const attached = index !== undefined && parentOid !== undefined && attachedTo.get(index.oid) === parentOid;
  return { member, index: index ?? null, attached };
}

/** The index that each of these is attached to. */
async function parentsOf(session: TargetSession, oids: number[]): Promise<Map<number, number>> {
  if (oids.length === 0) return new Map();
  const rows = await session.query<{ child: number; parent: number }>(
    'SELECT inhrelid AS child, inhparent AS parent FROM pg_inherits WHERE inhrelid = ANY ($1::oid[])',
    [oids],
  );
  return new Map(rows.map(({ child, parent }) => [child, parent]));
}

export interface TreeStep {
  how: 'only' | 'concurrently' | 'attach';
  member: Member;
  sql: string;
}

/**
 * The statements that are still missing, in the plan's order: the partitioned tables' own indexes, each leaf's, then
 * each is attached, leaves first. Where nothing is there these are the plan's statements word for word; where an equal
 * index is there under another name, it is that one which is attached.
 */
export function missingSteps(states: readonly MemberState[]): TreeStep[] {
  const name = ({ index, member }: MemberState) =>
    quoteQualified(index?.schema ?? member.schema, index?.name ?? member.name);
  const of = new Map(states.map((state) => [keyOf(state.member.schema, state.member.table), state]));
  const inner = states.filter(({ member }) => !member.leaf);
  const leaves = states.filter(({ member }) => member.leaf);
  const attach = (state: MemberState): TreeStep[] => {
    const parent = state.member.parent === null ? undefined : of.get(state.member.parent);
    if (!parent || state.attached) return [];
    return [
      {
        how: 'attach',
        member: state.member,
        sql: `ALTER INDEX ${name(parent)} ATTACH PARTITION ${name(state)}`,
      },
    ];
  };
  const make = (state: MemberState, how: 'only' | 'concurrently'): TreeStep[] =>
    state.index
      ? []
      : [
          {
            how,
            member: state.member,
            sql: renderIndexDefinition(state.member.definition, {
              only: how === 'only',
              concurrently: how === 'concurrently',
            }),
          },
        ];
  return [
    ...inner.flatMap((state) => make(state, 'only')),
    ...leaves.flatMap((state) => make(state, 'concurrently')),
    ...[...leaves, ...inner.toReversed()].flatMap(attach),
  ];
}
