import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../src/domain/index.ts';
import { putTogether, takeApart } from '../../src/store/snapshot-codec.ts';
import { ImaginaryDatabase } from './large-snapshot.ts';

const database = new ImaginaryDatabase({ statements: 3, tables: 3, active: 0.5 });
const usual = database.snapshot('2026-11-20T10:00:00.000Z');

const given = (max: string | null): Snapshot => {
  expect(usual.columns.length).toBeGreaterThan(1);
  return {
    ...usual,
    columns: usual.columns.map((column, at) =>
      at === 0 ? { ...column, ends: max === null ? null : { min: '1', max } } : column,
    ),
  };
};

function again(snapshot: Snapshot): Snapshot {
  const { meta, rows, parts, texts } = takeApart(snapshot);
  const parsed = new Map([...parts].map(([hash, text]) => [hash, JSON.parse(text) as unknown]));
  return putTogether({ ...meta, limits: snapshot.limits }, rows, parsed, texts);
}

describe('ends of columns', () => {
  it('come back as they were, none among them', () => {
    for (const snapshot of [given('7'), given(null), usual]) {
      expect(again(snapshot)).toEqual(snapshot);
    }
  });

  it('make no other columns: what changes with each row that comes is kept by itself', () => {
    const hashes = (max: string) =>
      takeApart(given(max))
        .rows.parts.filter((row) => row.noun === 'columns')
        .map((row) => row.hash);
    expect(hashes('8')).toEqual(hashes('7'));
  });
});
