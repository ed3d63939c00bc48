import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import {
  type IndexDefinition,
  indexDefinitionSchema,
  type PlannableStatement,
  type Snapshot,
  type WhatIf,
} from '../../src/domain/index.ts';
import { type EmbeddedServer, findInstallations, startEmbedded } from '../../src/embedded/index.ts';
import { openTarget, type TargetSession } from '../../src/target/index.ts';
import { openHypopg, openTwin } from '../../src/whatif/index.ts';

/** Debian's packages postgresql-15 and postgresql-15-hypopg, or whatever else brings the extension. */
const installation = [15, 14, 16, 17, 18]
  .flatMap((major) => findInstallations(major))
  .find(({ extensions }) => extensions.has('hypopg'));

const asIs = { created: [], hidden: [] };
const size = { pages: 166, tuples: 60_000, tree_height: 1 };
const statement = (sql: string, role?: string): PlannableStatement => ({
  id: sql,
  query_id: sql,
  sql,
  weight: 1,
  ...(role === undefined ? {} : { role }),
});
const index = (table: string, keys: string[], more: Partial<IndexDefinition> = {}): IndexDefinition =>
  indexDefinitionSchema.parse({
    schema: 'public',
    table,
    name: 'candidate',
    method: 'btree',
    keys: keys.map((key) => {
      const expression = key.includes('(');
      return { column: expression ? null : key, expression: expression ? key : null };
    }),
    ...more,
  });

/** Kinds that HypoPG makes, each with a statement that wants it. */
const KINDS: [string, IndexDefinition, string][] = [
  ['one column', index('sale', ['customer']), 'SELECT * FROM sale WHERE customer = 77'],
  [
    'two columns',
    index('sale', ['state', 'sold']),
    "SELECT * FROM sale WHERE state = 'open' ORDER BY sold LIMIT 5",
  ],
  [
    'descending',
    index('sale', [], {
      keys: [
        {
          column: 'sold',
          expression: null,
          direction: 'desc',
          nulls: 'last',
          opclass: null,
          collation: null,
        },
      ],
    }),
    'SELECT * FROM sale ORDER BY sold DESC NULLS LAST LIMIT 5',
  ],
  [
    'included',
    index('sale', ['customer'], { include: ['total'] }),
    'SELECT total FROM sale WHERE customer BETWEEN 5 AND 9',
  ],
  [
    'partial',
    index('sale', ['sold'], { where: "state = 'open'" }),
    "SELECT * FROM sale WHERE state = 'open' AND sold < 50",
  ],
  ['hash', index('sale', ['code'], { method: 'hash' }), "SELECT * FROM sale WHERE code = 'c77'"],
  [
    'brin',
    index('sale', ['id'], { method: 'brin' }),
    'SELECT count(*) FROM sale WHERE id BETWEEN 5 AND 5000',
  ],
];

describe.skipIf(installation === undefined)(
  'HypoPG (needs its extension, as postgresql-15-hypopg has it)',
  () => {
    let server: EmbeddedServer;
    let client: pg.Client;
    let snapshot: Snapshot;
    let engine: WhatIf;
    let session: TargetSession;
    const open = async (database = 'postgres') =>
      openTarget(server.dsn(database), { applicationName: 'pgluthier-test', readOnly: true });

    beforeAll(async () => {
      if (!installation) return;
      server = await startEmbedded({ installation, light: 'disk', settings: { autovacuum: 'off' } });
      client = new pg.Client({ connectionString: server.dsn() });
      await client.connect();
      await client.query('CREATE DATABASE without_it');
      await client.query(`CREATE EXTENSION hypopg SCHEMA public; CREATE ROLE careful;
      ALTER ROLE careful SET enable_indexscan = off; ALTER ROLE careful SET enable_bitmapscan = off;
      CREATE TABLE sale (id int, customer int, state text, sold int, total numeric, code text, words tsvector);
      INSERT INTO sale SELECT i, (i * 7919) % 5000, (ARRAY['done', 'done', 'done', 'open'])[1 + (i % 40) / 13], (i * 31) % 9000, i, 'c' || (i * 17) % 20000
        FROM generate_series(1, 60000) AS i;
      CREATE INDEX sale_total ON sale (total)`);
      await client.query('VACUUM ANALYZE sale');
      const collecting = await open();
      snapshot = await collectSnapshot(collecting);
      await collecting.close();
      session = await open();
      engine = await openHypopg(session, snapshot);
    }, 120_000);
    afterAll(async () => {
      await engine?.close();
      await client?.end();
      await server?.stop('immediate');
    });

    it('plans as the target does', async () => {
      const sql = 'SELECT * FROM sale WHERE total = 5';
      const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
      const [answer] = await engine.costs(asIs, [statement(sql)]);
      expect(answer).toEqual({
        statement_id: sql,
        cost: rows[0]['QUERY PLAN'][0].Plan['Total Cost'],
        planner_cost: rows[0]['QUERY PLAN'][0].Plan['Total Cost'],
        rows: 1,
        indexes: ['public.sale_total'],
        early_end_risk: 0,
        early_end_rest: 0,
        error: null,
      });
    });

    it('tells what a LIMIT risks as the twin does, by the share that a filter passes', async () => {
      const sql = "SELECT * FROM sale WHERE state = 'open' ORDER BY total LIMIT 5";
      const twin = await openTwin(snapshot);
      try {
        const [theirs] = await engine.costs(asIs, [statement(sql)]);
        const [ours] = await twin.costs(asIs, [statement(sql)]);
        expect(theirs).toEqual(ours);
        // One of forty is open.
        expect((theirs?.early_end_risk ?? 0) / (theirs?.early_end_rest ?? 0)).toBeCloseTo(39 / 40, 2);
      } finally {
        await twin.close();
      }
    });

    it('agrees with the twin on kinds that both make', async () => {
      const twin = await openTwin(snapshot);
      try {
        for (const [kind, definition, sql] of KINDS) {
          const before = await engine.costs(asIs, [statement(sql)]);
          expect([kind, (await twin.costs(asIs, [statement(sql)]))[0]?.cost]).toEqual([
            kind,
            before[0]?.cost,
          ]);
          const theirs = await engine.addIndex(definition, size);
          const small = { pages: 3, tuples: 60_000, tree_height: null };
          const ours = await twin.addIndex(definition, definition.method === 'brin' ? small : size);
          const [byHypopg] = await engine.costs({ created: [theirs], hidden: [] }, [statement(sql)]);
          const [byTwin] = await twin.costs({ created: [ours], hidden: [] }, [statement(sql)]);
          expect([kind, byHypopg?.indexes, byTwin?.indexes]).toEqual([kind, [theirs], [ours]]);
          // HypoPG reckons sizes itself and knows no height of a tree, which costs up to a unit at the start.
          const [theirCost, ourCost] = [byHypopg?.cost ?? 0, byTwin?.cost ?? 0];
          const apart = Math.abs(theirCost - ourCost);
          expect([kind, theirCost, ourCost, apart <= Math.max(1, 0.2 * ourCost)]).toEqual([
            kind,
            theirCost,
            ourCost,
            true,
          ]);
          expect(byHypopg?.cost).toBeLessThan(before[0]?.cost ?? 0);
        }
      } finally {
        await twin.close();
      }
    });

    it('switches between configurations, and back', async () => {
      const a = await engine.addIndex(index('sale', ['customer']), size);
      const b = await engine.addIndex(index('sale', ['code']), size);
      const asked = [
        statement('SELECT * FROM sale WHERE customer = 3'),
        statement("SELECT * FROM sale WHERE code = 'c3'"),
      ];
      const used = async (created: string[]) =>
        (await engine.costs({ created, hidden: [] }, asked)).map((answer) => answer.indexes);
      expect(await used([a, b])).toEqual([[a], [b]]);
      expect(await used([b])).toEqual([[], [b]]);
      expect(await used([a])).toEqual([[a], []]);
      expect(await used([])).toEqual([[], []]);
      const plan = await engine.explain({ created: [a], hidden: [] }, asked[0] as PlannableStatement);
      expect(JSON.stringify(plan)).toContain(`"Index Name":"${a}"`);
    });

    it('refuses what the extension refuses, and leaves nothing of it', async () => {
      await expect(engine.addIndex(index('sale', ['words'], { method: 'gin' }), size)).rejects.toMatchObject({
        code: 'candidate_refused',
        message: expect.stringContaining('gin'),
      });
      const [nothing, some] = await engine.addIndexes([
        { definition: index('sale', ['no_such_column']), size },
        { definition: index('sale', ['lower(code)']), size },
      ]);
      expect(nothing).toMatchObject({ code: 'candidate_refused' });
      expect(typeof some).toBe('string');
    });

    it('takes settings of a question and of the role that runs it, for as long as they are asked for', async () => {
      const sql = 'SELECT * FROM sale WHERE total = 5';
      const [usual] = await engine.costs(asIs, [statement(sql)]);
      const [dear] = await engine.costs({ ...asIs, settings: { random_page_cost: '400' } }, [statement(sql)]);
      expect(dear?.cost).toBeGreaterThan((usual?.cost ?? 0) * 2);
      const [careful, again] = await engine.costs(asIs, [statement(sql, 'careful'), statement(sql)]);
      expect([careful?.indexes, again]).toEqual([[], usual]);
      await expect(
        engine.costs({ ...asIs, settings: { no_such_setting: '1' } }, [statement(sql)]),
      ).rejects.toMatchObject({
        code: 'setting_refused',
      });
      expect(await engine.costs(asIs, [statement(sql)])).toEqual([usual]);
    });

    it('hides an index where this version can, and says where it cannot', async () => {
      const sql = 'SELECT * FROM sale WHERE total = 5';
      const hidden = { created: [], hidden: ['public.sale_total'] };
      const answer = await engine.costs(hidden, [statement(sql)]).catch((error: unknown) => error);
      if (Array.isArray(answer)) expect(answer[0]?.indexes).toEqual([]);
      else expect(answer).toMatchObject({ code: 'hide_unsupported' });
      await expect(engine.costs({ created: [], hidden: ['public.nothing'] }, [])).rejects.toMatchObject({
        code: 'index_unknown',
      });
    });

    it.each([
      'SELECT 1; SELECT 2',
      'SELECT 1; CREATE TABLE made (id int)',
      'ANALYZE SELECT 1',
      'VACUUM sale',
      'SELECT * FROM nothing',
    ])('never runs a statement: %s', async (sql) => {
      const [answer, after] = await engine.costs(asIs, [statement(sql), statement('SELECT * FROM sale')]);
      expect(answer?.cost).toBeNull();
      expect(after?.error).toBeNull();
      const { rows } = await client.query("SELECT to_regclass('made') AS made");
      expect(rows).toEqual([{ made: null }]);
    });

    it('leaves nothing behind, in the catalogs or in the backend', async () => {
      const { rows: before } = await client.query('SELECT count(*)::int AS n FROM pg_class');
      const own = await open();
      const other = await openHypopg(own, snapshot);
      const made = await other.addIndex(index('sale', ['customer', 'code']), size);
      await other.costs({ created: [made], hidden: [] }, [
        statement('SELECT * FROM sale WHERE customer = 1'),
      ]);
      expect(await own.query('SELECT count(*)::int AS n FROM public.hypopg_list_indexes')).toEqual([
        { n: 1 },
      ]);
      await own.query('SELECT public.hypopg_reset()');
      await other.close();
      expect((await client.query('SELECT count(*)::int AS n FROM pg_class')).rows).toEqual(before);
      expect(
        (await client.query('SELECT count(*)::int AS n FROM pg_stat_activity WHERE pid = $1', [own.pid]))
          .rows,
      ).toEqual([{ n: 0 }]);
    });

    it('is not there without the extension, and says what to do', async () => {
      const bare = await open('without_it');
      await expect(openHypopg(bare, snapshot)).rejects.toMatchObject({
        code: 'hypopg_missing',
        remedy: expect.stringContaining('CREATE EXTENSION'),
      });
      await bare.close();
    });

    it('ends with the connection, with a word about it', async () => {
      const own = await open();
      const lost = await openHypopg(own, snapshot);
      await client.query('SELECT pg_terminate_backend($1)', [own.pid]);
      await expect(lost.costs(asIs, [statement('SELECT 1')])).rejects.toMatchObject({
        code: 'target_connection_lost',
      });
      await lost.close();
    });

    it('takes thousands of candidates, one after another', async () => {
      const definitions = Array.from({ length: 3000 }, (_, n) => ({
        definition: index('sale', [['customer', 'state', 'sold', 'code'][n % 4] ?? '', 'id'], {
          where: `id > ${n}`,
        }),
        size,
      }));
      const made = await engine.addIndexes(definitions);
      expect(made.filter((handle) => typeof handle !== 'string')).toEqual([]);
      const [answer] = await engine.costs({ created: made.slice(0, 1500) as string[], hidden: [] }, [
        statement('SELECT * FROM sale'),
      ]);
      expect(answer?.error).toBeNull();
    });
  },
);
