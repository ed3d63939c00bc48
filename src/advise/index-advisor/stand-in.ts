/** Which of a set's members a contender might stand in for. */
import type { IndexKey } from '../../domain/index.ts';
import type { Contender } from './selection.ts';

/** Members of a set with their places among the contenders, by their table. */
type Members = ReadonlyMap<number, readonly { position: number; member: Contender }[]>;

/** Members with their places among the contenders, by their table. */
export function membersByTable(contenders: readonly Contender[], set: ReadonlySet<string>): Members {
  const members = new Map<number, { position: number; member: Contender }[]>();
  for (const [position, member] of contenders.entries()) {
    if (!set.has(member.handle)) continue;
    const list = members.get(member.table_oid);
    if (list) list.push({ position, member });
    else members.set(member.table_oid, [{ position, member }]);
  }
  return members;
}

/** Places of the members whose work the contender might do. */
export function standsFor(one: Contender | undefined, members: Members): ReadonlySet<number> {
  if (!one) return new Set();
  const alike = (members.get(one.table_oid) ?? []).filter(({ member }) => mayStandFor(one, member));
  return new Set(alike.map(({ position }) => position));
}

const nameOf = ({ column, expression }: IndexKey) => column ?? expression ?? '';

/** Whether the one could do the other's work: over its rows at least, by the same first key, by all its keys, or made out of it. */
function mayStandFor(one: Contender, member: Contender): boolean {
  const [a, b] = [one.candidate.definition, member.candidate.definition];
  if (a.method !== b.method || (a.where !== null && a.where !== b.where)) return false;
  const [first, second] = [a.keys[0], b.keys[0]];
  const isAlike = first?.column === second?.column && first?.expression === second?.expression;
  const names = new Set(a.keys.map(nameOf));
  return isAlike || b.keys.every((key) => names.has(nameOf(key))) || one.merged_of.includes(member.handle);
}
