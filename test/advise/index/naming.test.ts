import { expect, test } from 'vitest';
import { indexName, type SchemaNames } from '../../../src/advise/index-advisor/naming.ts';
import type { IndexDefinition, IndexKey } from '../../../src/domain/index.ts';

const key = (column: string, more: Partial<IndexKey> = {}): IndexKey => ({
  column,
  expression: null,
  opclass: null,
  collation: null,
  direction: 'asc',
  nulls: null,
  ...more,
});

const index = (table: string, keys: IndexKey[], more: Partial<IndexDefinition> = {}) => ({
  schema: 'public',
  table,
  method: 'btree',
  unique: false,
  keys,
  include: [],
  where: null,
  options: {},
  ...more,
});

const names = (tables: Record<string, string[]>, taken: string[] = []): SchemaNames => ({
  taken: new Set([...Object.keys(tables), ...taken]),
  columns: new Map(Object.entries(tables).map(([table, columns]) => [table, new Set(columns)])),
});

test('a plain index is named as PostgreSQL would', () => {
  const schema = names({ orders: ['customer', 'state'], orders_items: ['id'] });
  expect(indexName(index('orders', [key('customer'), key('state')]), schema)).toBe(
    'orders_customer_state_idx',
  );
});

test('all indexes that could be proposed have names of their own, whatever else is proposed', () => {
  const schema = names({ a: ['b', 'c', 'b_c', 'title'], a_b: ['c'] });
  const all = [
    index('a', [key('b_c')]),
    index('a', [key('b'), key('c')]),
    index('a_b', [key('c')]),
    index('a', [key('title')]),
    index('a', [key('title', { direction: 'desc' })]),
    index('a', [key('title', { nulls: 'first' })]),
    index('a', [key('title', { opclass: 'text_pattern_ops' })]),
    index('a', [key('title', { collation: '"C"' })]),
    index('a', [key('title')], { where: 'b > 1' }),
    index('a', [key('title')], { include: ['c'] }),
    index('a', [key('title')], { method: 'hash' }),
    index('a', [key('title')], { method: 'brin', options: { pages_per_range: '32' } }),
    index('a', [key('title')], { method: 'brin' }),
  ].map((definition) => indexName(definition, schema));
  expect(new Set(all).size).toBe(all.length);
  expect(all[3]).toBe('a_title_idx');
});

test('a name that a relation of the schema has is not taken again; long ones are cut within the limit', () => {
  const schema = names({ t: ['x'] }, ['t_x_idx']);
  expect(indexName(index('t', [key('x')]), schema)).toMatch(/^t_x_[0-9a-f]{6}_idx$/);
  const long = indexName(index('é'.repeat(40), [key('x')]), schema);
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(63);
});
