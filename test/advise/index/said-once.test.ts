/** What several tables and several rules say of indexes that may go: each is said once, and of its own table. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runRules } from '../../../src/advise/engine.ts';
import { rule as duplicate } from '../../../src/advise/rules/index/duplicate.ts';
import { rule as missing } from '../../../src/advise/rules/index/missing.ts';
import type { RecommendationDraft } from '../../../src/domain/index.ts';
import { contextOf, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

let planned: PlannedDatabase;
const told: string[] = [];

beforeAll(async () => {
  const rows = `g, g * 7919 % 3000, g::int8 * 104729 % 90001, repeat('o', 80) FROM generate_series(1, 90000) g`;
  planned = await plannedDatabase(`
    CREATE TABLE tickets (id int PRIMARY KEY, account int NOT NULL, at int NOT NULL, pad text);
    INSERT INTO tickets SELECT ${rows};
    CREATE INDEX tickets_account ON tickets (account);
    CREATE INDEX tickets_account_again ON tickets (account);
    CREATE TABLE users (id int PRIMARY KEY, account int NOT NULL, at int NOT NULL, pad text);
    INSERT INTO users SELECT ${rows};
    CREATE INDEX users_account ON users (account);
    CREATE TABLE roles (id int PRIMARY KEY, account int NOT NULL, at int NOT NULL, pad text);
    INSERT INTO roles SELECT ${rows};
    CREATE INDEX roles_account ON roles (account);
    CREATE INDEX roles_account_again ON roles (account);
  `);
});

afterAll(() => planned?.close());

async function advised(): Promise<{ drops: RecommendationDraft[]; rejected: string[] }> {
  const latest = (table: string) =>
    `-- calls: 1000\nSELECT * FROM ${table} WHERE account = 17 ORDER BY at DESC LIMIT 3;`;
  const sql = `${latest('tickets')}\n${latest('users')}\nSELECT count(*) FROM roles WHERE account = 17;`;
  const { snapshot, whatIf } = planned;
  const context = await contextOf(snapshot, { what_if: whatIf, sql });
  const result = await runRules([duplicate, missing], {
    ...context,
    progress: (message) => told.push(message),
  });
  const drops = result.recommendations.filter(({ change }) => change.kind === 'index.drop');
  const keys = new Set(drops.map(({ key }) => key));
  const rejected = result.rejections.flatMap(({ key }) => (key !== undefined && keys.has(key) ? [key] : []));
  return { drops, rejected };
}

describe('indexes that may go', () => {
  test('are each dropped by one recommendation, in whose place only indexes of their table come', async () => {
    const { drops, rejected } = await advised();
    const successors = drops.map(({ change }) => {
      if (change.kind !== 'index.drop') throw new Error('no drop');
      const { covered_by, replaced_by = [] } = change;
      return [change.name, covered_by?.name ?? replaced_by.map(({ table }) => table)];
    });
    expect(successors.toSorted()).toEqual([
      // What it is the same as stays.
      ['roles_account_again', 'roles_account'],
      ['tickets_account', ['tickets']],
      // What it is the same as goes itself: it counts on the new one.
      ['tickets_account_again', ['tickets']],
      ['users_account', ['users']],
    ]);
    // What is recommended is not rejected as well.
    expect(rejected).toEqual([]);
  });

  test('leave a share of the cost that can be', () => {
    const shares = told.flatMap((message) => /leaves (\S+) %/.exec(message)?.[1] ?? []).map(Number);
    expect(shares.length).toBeGreaterThan(0);
    // LIMITs that may find their rows last are feared most without an index: what is left is of the same measure.
    for (const share of shares) expect(share).toBeGreaterThan(0);
    for (const share of shares) expect(share).toBeLessThan(100);
  });
});
