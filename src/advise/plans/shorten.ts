/** A plan of bounded size, to be kept and sent: partitions that are read alike are one with a count. */
import type { PlanDetail, PlanTree } from '../../domain/index.ts';

/** Nodes that are kept; what is beyond them is counted. */
const NODES = 60;
/** Characters of a condition or of a list of keys. */
const TEXT_LENGTH = 400;
/** Details of a node: a CUBE has one for each of its sets. */
const DETAILS = 16;
/** Tables that a statement writes. */
const TARGETS = 4;

/** The tree with alike partitions folded, then cut; what a node's own figures are does not change. */
export function shortenPlan(tree: PlanTree): PlanTree {
  return cutNodes(fold(tree), { nodes: NODES });
}

const FOLDED: ReadonlySet<string> = new Set(['Append', 'Merge Append']);

function fold(node: PlanTree): PlanTree {
  const children = node.children.map(fold);
  const { targets, ...rest } = node;
  const further = (targets?.length ?? 0) - TARGETS;
  return {
    ...rest,
    ...(targets === undefined ? {} : { targets: targets.slice(0, TARGETS) }),
    details: shortDetails(
      further > 0 ? [...node.details, { name: 'Further targets', text: String(further) }] : node.details,
    ),
    children: FOLDED.has(node.node_type) ? withoutAlike(children) : children,
  };
}

function shortDetails(details: readonly PlanDetail[]): PlanDetail[] {
  const short = details.slice(0, DETAILS).map(({ name, text }) => ({ name, text: cut(text) }));
  if (details.length > DETAILS)
    short.push({ name: 'Further details', text: String(details.length - DETAILS) });
  return short;
}

function cut(text: string): string {
  if (text.length <= TEXT_LENGTH) return text;
  return `${text.slice(0, TEXT_LENGTH)} … (${text.length - TEXT_LENGTH} more characters)`;
}

/** The first of each shape stays, in its place. */
function withoutAlike(children: readonly PlanTree[]): PlanTree[] {
  const shapes = new Map<string, PlanTree>();
  for (const child of children) {
    const shape = shapeOf(child);
    const first = shapes.get(shape);
    if (first) first.alike = (first.alike ?? 0) + 1 + (child.alike ?? 0);
    else shapes.set(shape, { ...child });
  }
  return [...shapes.values()];
}

/** What is alike: the same nodes with the same kinds of conditions, whatever relations and indexes they are about. */
function shapeOf(node: PlanTree): string {
  const { node_type, relationship, strategy, join_type, scan_direction, parallel } = node;
  const names = node.details.map(({ name }) => name);
  const own = [node_type, relationship, strategy, join_type, scan_direction, parallel, names];
  return JSON.stringify([own, node.children.map(shapeOf)]);
}

function cutNodes(node: PlanTree, room: { nodes: number }): PlanTree {
  room.nodes -= 1;
  const children: PlanTree[] = [];
  let out = 0;
  for (const child of node.children) {
    if (room.nodes > 0) children.push(cutNodes(child, room));
    else out += size(child);
  }
  return { ...node, ...(out > 0 ? { left_out: out } : {}), children };
}

function size(node: PlanTree): number {
  return 1 + (node.alike ?? 0) + node.children.reduce((sum, child) => sum + size(child), 0);
}
