/** What EXPLAIN's text calls a node of a plan; by explain.c of PostgreSQL 14 to 18. */
import type { PlanTree } from './plan-tree.ts';

type Named = Pick<
  PlanTree,
  | 'node_type'
  | 'strategy'
  | 'partial_mode'
  | 'join_type'
  | 'command'
  | 'operation'
  | 'source'
  | 'parallel'
  | 'asynchronous'
>;

const AGGREGATES: Readonly<Record<string, string>> = {
  Plain: 'Aggregate',
  Sorted: 'GroupAggregate',
  Hashed: 'HashAggregate',
  Mixed: 'MixedAggregate',
};

/** E.g. `Parallel Seq Scan`, `Hash Left Join`, `Partial HashAggregate`, `Insert`; without its relation and index. */
export function planNodeName(node: Named): string {
  const name = [node.partial_mode, node.parallel && 'Parallel', node.asynchronous && 'Async']
    .filter(Boolean)
    .join(' ');
  return `${name === '' ? '' : `${name} `}${ownName(node)}`;
}

function ownName(node: Named): string {
  switch (node.node_type) {
    case 'Aggregate':
      return AGGREGATES[node.strategy ?? ''] ?? node.node_type;
    case 'SetOp':
      return `${node.strategy === 'Hashed' ? 'HashSetOp' : 'SetOp'}${node.command ? ` ${node.command}` : ''}`;
    case 'ModifyTable':
      return node.operation ?? node.node_type;
    case 'Custom Scan':
      return node.source ? `${node.node_type} (${node.source})` : node.node_type;
    default:
      return joinName(node);
  }
}

/** The kind of a join stands before its last word: `Hash Left Join`, but `Nested Loop Left Join`. */
function joinName({ node_type, join_type }: Named): string {
  if (join_type === undefined) return node_type;
  if (node_type === 'Nested Loop')
    return join_type === 'Inner' ? node_type : `${node_type} ${join_type} Join`;
  const method = node_type.endsWith(' Join') ? node_type.slice(0, -' Join'.length) : node_type;
  return join_type === 'Inner' ? `${method} Join` : `${method} ${join_type} Join`;
}
