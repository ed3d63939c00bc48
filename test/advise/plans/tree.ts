/** Trees for tests that need no server, and a generator of any tree. */
import fc from 'fast-check';
import type { PlanTree } from '../../../src/domain/index.ts';

export function node(node_type: string, parts: Partial<PlanTree> = {}): PlanTree {
  return {
    node_type,
    startup_cost: 0,
    total_cost: 10,
    rows: 5,
    width: 8,
    details: [],
    children: [],
    ...parts,
  };
}

/** An Append over scans of `count` partitions of `orders`, as PostgreSQL names them. */
export function partitions(
  count: number,
  scan: (number: number) => Partial<PlanTree>,
  type: string,
): PlanTree {
  return node('Append', {
    children: Array.from({ length: count }, (_, position) =>
      node(type, {
        relationship: 'Member',
        relation: `orders_of_${position}`,
        alias: `orders_${position + 1}`,
        ...scan(position),
      }),
    ),
  });
}

const names = fc.constantFrom(
  'orders',
  'orders_1',
  'orders_2',
  'lines',
  'a',
  'b',
  'events_3',
  'Ünïcode "x"',
  '',
);
const types = fc.constantFrom(
  'Seq Scan',
  'Index Scan',
  'Index Only Scan',
  'Bitmap Heap Scan',
  'Bitmap Index Scan',
  'Append',
  'Merge Append',
  'Nested Loop',
  'Hash Join',
  'Hash',
  'Sort',
  'Incremental Sort',
  'Aggregate',
  'Unique',
  'SetOp',
  'Gather',
  'Limit',
  'Memoize',
  'ModifyTable',
  'CTE Scan',
  'Something New',
);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

function treeOf(depth: number): fc.Arbitrary<PlanTree> {
  return (
    fc
      .record({
        node_type: types,
        relationship: optional(fc.constantFrom('Outer', 'Inner', 'Member', 'SubPlan', 'InitPlan')),
        relation: optional(names),
        alias: optional(names),
        schema: optional(fc.constantFrom('public', 'other')),
        index: optional(names),
        join_type: optional(fc.constantFrom('Inner', 'Left', 'Anti')),
        strategy: optional(fc.constantFrom('Sorted', 'Hashed', 'Plain')),
        partial_mode: optional(fc.constantFrom('Partial', 'Finalize')),
        parallel: optional(fc.constant(true)),
        workers_planned: optional(fc.nat(4)),
        startup_cost: fc.nat(100),
        total_cost: fc.nat(10_000),
        rows: fc.nat(1_000),
        width: fc.nat(100),
        details: fc.array(
          fc.record({
            name: fc.constantFrom('Filter', 'Index Cond', 'Sort Key', 'Group Key', 'Presorted Key'),
            text: fc.oneof(fc.string(), fc.string({ minLength: 500, maxLength: 900 })),
          }),
          { maxLength: 3 },
        ),
        children: depth === 0 ? fc.constant([]) : fc.array(treeOf(depth - 1), { maxLength: 4 }),
      })
      // Absent, not undefined, as reducePlan does.
      .map((tree) => JSON.parse(JSON.stringify(tree)) as PlanTree)
  );
}

/** Any tree, sensible or not: what the planner of another version shows is not known. */
export const anyTree = treeOf(4);
