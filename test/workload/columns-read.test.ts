import { describe, expect, it } from 'vitest';
import { columnsRead, parseSql } from '../../src/workload/index.ts';

const read = async (expression: string) => {
  await parseSql('SELECT 1');
  return [...columnsRead(expression)].sort();
};

describe('columns that an expression reads', () => {
  it('are its column references, quoted and folded as the catalog has them', async () => {
    expect(await read('lower("Email")')).toEqual(['Email']);
    expect(await read('(First || \' \'::text) || "a ""b"""')).toEqual(['a "b"', 'first']);
    expect(await read("((doc -> 'state'::text) ->> 'id'::text)")).toEqual(['doc']);
  });

  it('are no constants, functions or types of that name, and no parts of longer names', async () => {
    expect(await read("COALESCE(note, 'state'::text)")).toEqual(['note']);
    expect(await read('date(created_at)')).toEqual(['created_at']);
    expect(await read("(state = 'paid'::order_state) AND (deleted_at IS NULL)")).toEqual([
      'deleted_at',
      'state',
    ]);
  });

  it('of nothing are none; what is no expression is refused', async () => {
    await parseSql('SELECT 1');
    expect(columnsRead(null).size).toBe(0);
    expect(() => columnsRead('lower(')).toThrow(expect.objectContaining({ code: 'sql_syntax' }));
  });
});
