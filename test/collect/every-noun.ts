/** A database in which every noun has rows: what the contract of the variants and of names is checked against. */
import pg from 'pg';
import type { TestServer } from '../support/servers.ts';

/** What the server must be started with. */
export const EVERY_NOUN_SETTINGS = {
  wal_level: 'logical',
  max_prepared_transactions: '5',
  max_replication_slots: '5',
  autovacuum: 'off',
};

const SCHEMA = `
CREATE EXTENSION pageinspect;
CREATE TYPE mood AS ENUM ('sad', 'fine');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (subtype = text, collation = "C");
CREATE FUNCTION first_word(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT split_part(t, ' ', 1) $$;
CREATE TABLE main (id serial PRIMARY KEY, v text DEFAULT 'x', m mood, p positive, tags text[], other pair, CHECK (id > 0));
CREATE INDEX expression ON main (first_word(v), id) INCLUDE (m) WHERE id > 5;
CREATE INDEX gin ON main USING gin (tags);
CREATE TABLE child (id int REFERENCES main, a int, b int);
CREATE STATISTICS both_of (ndistinct, dependencies, mcv) ON a, b FROM child;
CREATE STATISTICS of_both ON (a + b), a FROM child;
CREATE TABLE part (k int) PARTITION BY RANGE (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE heir () INHERITS (child);
CREATE TABLE slow (v int); INSERT INTO slow SELECT generate_series(1, 20000);
CREATE VIEW seen AS SELECT id FROM main;
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE TABLE guarded (id int, whose name);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded TO CURRENT_USER, pg_monitor USING (whose = current_user) WITH CHECK (id > 0);
CREATE POLICY fewer ON guarded AS RESTRICTIVE FOR UPDATE USING (id < 7);
CREATE TABLE spans (r int4range, s span);
INSERT INTO spans SELECT int4range(g, g + 5), span(g::text, (g || 'x')) FROM generate_series(100, 400) AS g;
CREATE INDEX by_bytes ON main (v COLLATE "C");
CREATE FUNCTION on_main() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER on_main BEFORE UPDATE ON main FOR EACH ROW EXECUTE FUNCTION on_main();
CREATE PUBLICATION published FOR TABLE main;
CREATE SUBSCRIPTION subscribed CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false);
INSERT INTO main (v, p, tags) SELECT 'w ' || g, g, ARRAY['a', 'b' || g % 3] FROM generate_series(1, 500) AS g;
INSERT INTO child SELECT 1, g % 7, g % 7 FROM generate_series(1, 500) AS g;
ANALYZE main, child, part, heir, slow, guarded, spans;
`;

export interface EveryNoun {
  name: string;
  dsn: string;
  stop(): Promise<void>;
}

/** Waits until a query says yes; the test's own timeout is its limit. */
async function until(client: pg.Client, sql: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ yes: boolean }>(`SELECT (${sql}) AS yes`);
    if (rows[0]?.yes) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** While it stands: a prepared transaction, a slot, an index build that waits and a vacuum that crawls. */
export async function everyNoun(server: TestServer, statementsVersion: string): Promise<EveryNoun> {
  const database = await server.createDatabase({
    sql: `CREATE EXTENSION pg_stat_statements VERSION '${statementsVersion}'; ${SCHEMA}`,
  });
  const clients: pg.Client[] = [];
  const connect = async (name: string): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: database.dsn, application_name: name });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    return client;
  };
  const [main, holder, builder, vacuum] = [
    await connect('main'),
    await connect('holder'),
    await connect('builder'),
    await connect('vacuum'),
  ];
  const id = database.name;
  // Reported to the statistics at the end of a later command of this session.
  await main.query('UPDATE main SET p = p');
  await until(main, "pg_stat_get_mod_since_analyze('main'::regclass) > 0");
  await main.query(`ALTER DATABASE "${id}" SET work_mem = '5MB'`);
  // First the slot: making one waits for all transactions that write, prepared ones too.
  await main.query(`SELECT pg_create_logical_replication_slot('${id.slice(0, 60)}', 'pgoutput')`);
  await main.query(`BEGIN; INSERT INTO part VALUES (1); PREPARE TRANSACTION '${id}'`);
  await holder.query('BEGIN; INSERT INTO child VALUES (1, 1, 1)');
  const building = builder.query('CREATE INDEX CONCURRENTLY waits ON child (a)').catch(() => {});
  await vacuum.query('SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1');
  const crawling = vacuum.query('VACUUM slow').catch(() => {});
  const running = (view: string) => `EXISTS (SELECT 1 FROM ${view} WHERE datname = current_database())`;
  await until(main, `${running('pg_stat_progress_create_index')} AND ${running('pg_stat_progress_vacuum')}`);
  return {
    name: id,
    dsn: database.dsn,
    async stop() {
      await main.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await Promise.all([building, crawling]);
      await until(
        main,
        `NOT EXISTS (SELECT 1 FROM pg_stat_progress_vacuum WHERE datname = current_database())`,
      );
      await main.query('DROP SUBSCRIPTION subscribed');
      await main.query(`ROLLBACK PREPARED '${id}'`);
      await main.query(`SELECT pg_drop_replication_slot('${id.slice(0, 60)}')`);
      await Promise.all(clients.map((client) => client.end().catch(() => {})));
      await database.drop();
    },
  };
}
