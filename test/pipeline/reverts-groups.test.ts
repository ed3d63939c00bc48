/** Ways back of what is more than one relation: partitioned indexes, and tables that had different parameters before. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, IndexDefinition, PartitionIndex, Verdict } from '../../src/domain/index.ts';
import { collectTarget, verifyApplied } from '../../src/pipeline/index.ts';
import { revertsOf } from '../../src/pipeline/propose-revert.ts';
import { type Advised, advised } from './advised.ts';

const SCHEMA = `CREATE EXTENSION pg_stat_statements;
CREATE TABLE events (id int NOT NULL, owner int, at int NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (at);
CREATE TABLE events_1a PARTITION OF events_1 FOR VALUES FROM (0) TO (5);
CREATE TABLE events_1b PARTITION OF events_1 FOR VALUES FROM (5) TO (10);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
INSERT INTO events SELECT g, g % 5000, g % 20 FROM generate_series(1, 120000) AS g;
CREATE INDEX events_owner ON events (owner DESC);
CREATE TABLE busy (id int) WITH (fillfactor = 90);
CREATE TABLE calm (id int);
CREATE TABLE still (id int);
ANALYZE;`;

const part = (table: string, name: string, parent: string, leaf: boolean): PartitionIndex => ({
  schema: 'public',
  table,
  name,
  parent_schema: 'public',
  parent_name: parent,
  leaf,
});
const index = (name: string, column: string): IndexDefinition => ({
  schema: 'public',
  table: 'events',
  name,
  method: 'btree',
  unique: false,
  keys: [{ column, expression: null, opclass: null, collation: null, direction: 'asc', nulls: null }],
  include: [],
  where: null,
  options: {},
});

describe.each([18])('the way back on PostgreSQL %i', (major) => {
  let at: Advised;
  beforeAll(async () => {
    at = await advised(major, SCHEMA);
  });
  afterAll(() => at?.close());
  /** Each index of the tree with its definition, validity and place. */
  const tree = async () =>
    (
      await at.client.query(
        `SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition, i.indisvalid AS valid, p.relname AS parent
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         LEFT JOIN pg_inherits h ON h.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = h.inhparent
         WHERE i.indrelid IN (SELECT relid FROM pg_partition_tree('events')) ORDER BY 1`,
      )
    ).rows;
  const recommendation = async (id: string) =>
    (await at.service.ask('GET', `${at.base}/recommendations/${id}`)).body;

  /** Told to have done harm, as verification would: what takes it back is proposed with the verdict. */
  async function harmed(apply: Record<string, unknown>): Promise<string[]> {
    const { store } = at.service.services;
    const full = await store.applies.get(at.targetId, String(apply.id));
    const verdict: Verdict = { verdict: 'regressed', reason: 'a test', statements: [], measures: [] };
    const reverts = await revertsOf(
      full,
      verdict,
      await store.recommendations.get(at.targetId, full.recommendation_id),
      {
        facts: (full.outcome?.facts ?? {}) as Record<string, unknown>,
        before: await store.snapshots.get(at.targetId, full.before_snapshot_id),
        after: await store.snapshots.get(at.targetId, String(full.after_snapshot_id)),
      },
    );
    await store.applies.saveVerdict(at.targetId, full.id, verdict, 'verify_failed', reverts);
    return reverts.map(({ id }) => id);
  }

  it('of a dropped partitioned index builds the whole tree again, once it was measured to harm', async () => {
    const before = await tree();
    const names = Object.fromEntries(before.map(({ name, parent }) => [parent ?? 'top', name]));
    expect(names.top).toBe('events_owner');
    const definitionOf = (name: string) => String(before.find((row) => row.name === name)?.definition);
    const below = [
      part('events_1', 'events_1_owner_idx', 'events_owner', false),
      part('events_1a', 'events_1a_owner_idx', 'events_1_owner_idx', true),
      part('events_1b', 'events_1b_owner_idx', 'events_1_owner_idx', true),
      part('events_2', 'events_2_owner_idx', 'events_owner', true),
    ];
    const change: Change = {
      kind: 'index.drop',
      schema: 'public',
      table: 'events',
      name: 'events_owner',
      definition: definitionOf('events_owner'),
      partitions: below.map((one) => ({ ...one, definition: definitionOf(one.name) })),
    };
    const ask = async (calls: number) => {
      for (let call = 0; call < calls; call += 1) {
        await at.client.query('SELECT id FROM events WHERE owner = $1', [call]);
      }
    };
    const { services } = at.service;
    await collectTarget(services, at.targetId);
    // Hundredths of a millisecond each: of so many, one that a busy machine holds for long does not hide the rest.
    await ask(4_000);
    const apply = await at.applyNow(await at.propose('drop_tree', change));
    expect(apply).toMatchObject({ outcome: { outcome: 'applied' } });
    expect(await tree()).toEqual([]);
    await ask(150);
    await collectTarget(services, at.targetId);
    const verdict = (await verifyApplied(services, at.targetId, String(apply.id)))
      .verdict as unknown as Verdict;
    expect(verdict).toMatchObject({ verdict: 'regressed' });
    const [id] = verdict.revert_recommendation_ids ?? [];
    expect(await recommendation(String(id))).toMatchObject({ state: 'open', kind: 'index.create' });
    const back = await at.applyNow(`${at.base}/recommendations/${id}`);
    expect(back).toMatchObject({ state: 'verifying', outcome: { outcome: 'applied' } });
    expect(await tree()).toEqual(before);
    expect(await at.stateOf('drop_tree')).toBe('dismissed');
    expect(await at.stateOf(String(id))).toBe('verifying');
  }, 60_000);

  it('of a new partitioned index drops it with all that is attached', async () => {
    const before = await tree();
    const change: Change = {
      kind: 'index.create',
      index: index('events_id', 'id'),
      partitions: [
        part('events_1', 'events_1_id', 'events_id', false),
        part('events_1a', 'events_1a_id', 'events_1_id', true),
        part('events_1b', 'events_1b_id', 'events_1_id', true),
        part('events_2', 'events_2_id', 'events_id', true),
      ],
    };
    const apply = await at.applyNow(await at.propose('create_tree', change));
    expect(apply).toMatchObject({ outcome: { outcome: 'applied' } });
    const built = (await tree()).filter(({ name }) => String(name).endsWith('_id'));
    expect(built.map(({ valid }) => valid)).toEqual([true, true, true, true, true]);
    const [id] = await harmed(apply);
    expect(await recommendation(String(id))).toMatchObject({
      state: 'open',
      kind: 'index.drop',
      statements: ['DROP INDEX public.events_id'],
    });
    expect(await at.applyNow(`${at.base}/recommendations/${id}`)).toMatchObject({
      outcome: { outcome: 'applied' },
    });
    expect(await tree()).toEqual(before);
    expect(await at.stateOf('create_tree')).toBe('dismissed');
  }, 60_000);

  it('of parameters of several tables is a change for each group that had the same, and both bring them back', async () => {
    const options = async () =>
      (
        await at.client.query(
          "SELECT relname, reloptions FROM pg_class WHERE relname IN ('busy', 'calm', 'still') ORDER BY 1",
        )
      ).rows;
    const before = await options();
    const none = { fillfactor: null, autovacuum_vacuum_scale_factor: null };
    const change: Change = {
      kind: 'table.reloptions',
      schema: 'public',
      table: 'busy',
      set: { fillfactor: '80', autovacuum_vacuum_scale_factor: '0.02' },
      previous: { ...none, fillfactor: '90' },
      others: ['calm', 'still'].map((table) => ({ schema: 'public', table, previous: none })),
    };
    const apply = await at.applyNow(await at.propose('options', change));
    expect(apply).toMatchObject({ outcome: { outcome: 'applied' } });
    expect(await options()).not.toEqual(before);
    const reverts = await harmed(apply);
    expect(reverts).toHaveLength(2);
    const proposed = await Promise.all(reverts.map(recommendation));
    expect(proposed.map(({ statements }) => (statements as string[]).length)).toEqual([2, 2]);
    for (const id of reverts) {
      expect(await at.applyNow(`${at.base}/recommendations/${id}`)).toMatchObject({
        outcome: { outcome: 'applied' },
      });
    }
    expect(await options()).toEqual(before);
    for (const id of reverts) expect(await at.stateOf(id)).toBe('verifying');
    expect(await at.stateOf('options')).toBe('dismissed');
    expect(await at.service.services.store.audit.verify()).toMatchObject({ ok: true });
  }, 60_000);
});
