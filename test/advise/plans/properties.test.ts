import fc from 'fast-check';
import { expect, test } from 'vitest';
import { comparePlans } from '../../../src/advise/plans/compare.ts';
import { reducePlan } from '../../../src/advise/plans/reduce.ts';
import { shortenPlan } from '../../../src/advise/plans/shorten.ts';
import {
  type PlanTree,
  planChangeKinds,
  planChangeSchema,
  planTreeSchema,
} from '../../../src/domain/index.ts';
import { renderPlan } from '../../../src/report/index.ts';
import { anyTree, node, partitions } from './tree.ts';

const nodesOf = (tree: PlanTree): number =>
  1 +
  (tree.alike ?? 0) +
  (tree.left_out ?? 0) +
  tree.children.reduce((sum, child) => sum + nodesOf(child), 0);
const kept = (tree: PlanTree): number => 1 + tree.children.reduce((sum, child) => sum + kept(child), 0);

test('a plan is the same as itself and as its copy', () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      expect(comparePlans(tree, structuredClone(tree))).toEqual([]);
    }),
  );
});

test('changes are always in one order, bounded, and no tree fails', () => {
  fc.assert(
    fc.property(anyTree, anyTree, (before, after) => {
      const changes = comparePlans(before, after);
      expect(comparePlans(structuredClone(before), structuredClone(after))).toEqual(changes);
      const places = changes.map(({ kind }) => planChangeKinds.indexOf(kind));
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(changes.length).toBeLessThanOrEqual(8 * planChangeKinds.length);
      for (const change of changes) {
        expect(planChangeSchema.parse(change)).toEqual(change);
        expect(change.text.length).toBeLessThan(700);
      }
    }),
  );
});

test('the other way round the same things changed', () => {
  fc.assert(
    fc.property(anyTree, anyTree, (before, after) => {
      const kinds = (changes: { kind: string }[]) => [...new Set(changes.map(({ kind }) => kind))];
      const there = kinds(comparePlans(before, after)).filter(
        (kind) => kind !== 'join' && kind !== 'condition',
      );
      const back = kinds(comparePlans(after, before)).filter(
        (kind) => kind !== 'join' && kind !== 'condition',
      );
      expect(back).toEqual(there);
    }),
  );
});

test('shortened: a valid plan of bounded size with every node counted, the same when shortened again', () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      const short = shortenPlan(tree);
      expect(planTreeSchema.parse(short)).toEqual(short);
      expect(kept(short)).toBeLessThanOrEqual(60);
      // A folded subtree of several nodes counts as one of its kind.
      expect(nodesOf(short)).toBeLessThanOrEqual(nodesOf(tree));
      expect(renderPlan(short).length).toBeLessThanOrEqual(60);
    }),
  );
});

test('a thousand partitions are a line, and so is what became of them', () => {
  const before = partitions(1000, () => ({ details: [{ name: 'Filter', text: '(kind = 5)' }] }), 'Seq Scan');
  const after = partitions(
    1000,
    (number) => ({ index: `orders_of_${number}_idx`, details: [{ name: 'Index Cond', text: '(kind = 5)' }] }),
    'Index Scan',
  );
  expect(comparePlans(before, after).map(({ text }) => text)).toEqual([
    'orders (1000 partitions): Seq Scan → Index Scan using 1000 indexes',
  ]);
  const lines = renderPlan(shortenPlan(before));
  expect(lines).toHaveLength(4);
  expect(lines[3]).toBe('  … and 999 more like it');
  // One that differs stays.
  const odd = { ...before, children: before.children.with(500, node('Result', { relationship: 'Member' })) };
  expect(shortenPlan(odd).children.map((child) => [child.node_type, child.alike])).toEqual([
    ['Seq Scan', 998],
    ['Result', undefined],
  ]);
});

test('a candidate’s handle gets its name, one name for all partitions', () => {
  const before = partitions(12, () => ({}), 'Seq Scan');
  const after = partitions(12, () => ({ index: 'orders_kind_idx' }), 'Index Scan');
  expect(comparePlans(before, after)[0]).toEqual({
    kind: 'access',
    subject: 'orders (12 partitions)',
    before: 'Seq Scan',
    after: 'Index Scan using orders_kind_idx',
    text: 'orders (12 partitions): Seq Scan → Index Scan using orders_kind_idx',
  });
});

test('a table read twice under names like those of partitions is no partitioned table', () => {
  const scan = (alias: string) => node('Seq Scan', { relation: 'orders', alias, relationship: 'Member' });
  const before = node('Append', { children: [scan('orders_1'), scan('orders_2')] });
  const after = structuredClone(before);
  const second = after.children[1];
  if (second) Object.assign(second, { node_type: 'Index Scan', index: 'i' });
  expect(comparePlans(before, after).map(({ text }) => text)).toEqual([
    'orders orders_2: Seq Scan → Index Scan using i',
  ]);
});

test('of a table that is read twice each place is compared with itself', () => {
  const scan = (alias: string, relationship: string, index?: string) =>
    node(index ? 'Index Scan' : 'Seq Scan', {
      relation: 'orders',
      alias,
      relationship,
      ...(index ? { index } : {}),
    });
  const before = node('Hash Join', {
    join_type: 'Inner',
    children: [scan('a', 'Outer'), scan('b', 'Inner')],
  });
  const after = node('Hash Join', {
    join_type: 'Inner',
    children: [scan('b', 'Outer', 'i'), scan('a', 'Inner')],
  });
  expect(comparePlans(before, after).map(({ text }) => text)).toEqual([
    'orders b: Seq Scan → Index Scan using i',
    'a, b: Hash Join (inner: b) → Hash Join (inner: a)',
  ]);
});

test('what a subplan reads is not joined', () => {
  const plan = (method: string, relationship: string) =>
    node(method, {
      join_type: 'Inner',
      children: [
        node('Seq Scan', { relation: 'a', relationship: 'Outer' }),
        node('Seq Scan', { relation: 'b', relationship: 'Inner' }),
        node('Seq Scan', { relation: 'c', relationship, subplan_name: 'SubPlan 1' }),
      ],
    });
  for (const relationship of ['SubPlan', 'InitPlan'])
    expect(
      comparePlans(plan('Hash Join', relationship), plan('Merge Join', relationship)).map(({ text }) => text),
    ).toEqual(['a, b: Hash Join (inner: b) → Merge Join (inner: b)']);
});

test('details and targets beyond what is kept are counted', () => {
  const details = Array.from({ length: 40 }, (_, place) => ({ name: 'Group Key', text: `k${place}` }));
  const targets = Array.from({ length: 30 }, (_, place) => ({ relation: `t${place}` }));
  const short = shortenPlan(node('ModifyTable', { details, targets }));
  expect(short.details).toHaveLength(17);
  expect(short.details.at(-1)).toEqual({ name: 'Further details', text: '25' });
  expect(short.targets).toHaveLength(4);
});

test('rows of what runs once are compared, rows of a loop or of a worker are not', () => {
  const plan = (rows: number, above: string, relationship: string) =>
    node(above, {
      ...(above === 'Nested Loop' ? { join_type: 'Inner' } : {}),
      children: [
        node('Seq Scan', { relation: 'a', relationship: 'Outer' }),
        node('Seq Scan', { relation: 'b', relationship, rows }),
      ],
    });
  const rows = (above: string, relationship: string) =>
    comparePlans(plan(1000, above, relationship), plan(10, above, relationship)).map(({ text }) => text);
  expect(rows('Append', 'Member')).toEqual(['rows of b: 1,000 → 10']);
  expect(rows('Nested Loop', 'Inner')).toEqual([]);
  expect(rows('Gather', 'Outer')).toEqual([]);
});

test('what is no plan is refused without its content', () => {
  for (const bad of [
    null,
    [],
    {},
    'x',
    [{}],
    [{ Plan: {} }],
    [{ Plan: { 'Node Type': 'secret' } }],
    [1],
    { Plan: 7 },
  ]) {
    expect(() => reducePlan(bad)).toThrow(expect.objectContaining({ code: 'plan_unreadable' }));
  }
  try {
    reducePlan([{ Plan: { 'Node Type': 'Seq Scan', Filter: 'secret', 'Plan Rows': 'secret' } }]);
  } catch (error) {
    expect(JSON.stringify({ ...(error as object), message: (error as Error).message })).not.toContain(
      'secret',
    );
  }
});
