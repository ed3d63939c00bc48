import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { Snapshot, Workload } from '../../src/domain/index.ts';
import {
  sampleStatements,
  statementUsage,
  usageCatalog,
  workloadFromSnapshot,
} from '../../src/workload/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { readSnapshot } from './read-snapshot.ts';

const SCHEMA = `
  create extension pg_stat_statements;
  create extension pg_trgm;
  create schema "Größe";
  create type task_state as enum ('new', 'running', 'done');
  create domain email_address as text check (value like '%@%');
  create table users (id bigint primary key, email email_address not null, name varchar(40), created date);
  create table tasks (
    id bigint primary key, status text not null, state task_state not null, owner_id bigint references users,
    created_at timestamptz not null, due date, price numeric(10,2), score real, active boolean not null,
    meta jsonb not null, tags text[] not null, body text, search tsvector, key uuid not null, span tstzrange,
    addr inet, area box, took interval);
  create table "Größe"."Mixed Case" ("Id" int primary key, "Straße" text);
  create table log (at timestamptz not null, kind text, payload jsonb) partition by range (at);
  create table log_2024 partition of log for values from ('2024-01-01') to ('2025-01-01');
  create table log_2025 partition of log for values from ('2025-01-01') to ('2027-01-01');
  create view open_tasks as select t.id, t.owner_id, lower(t.body) as text, u.email from tasks t join users u on u.id = t.owner_id where t.status = 'new';
  create view all_times as select id, created_at as at, status as kind from tasks union all select 1, at, kind from log;
  insert into users select i, 'user' || i || '@example.org', 'Name ''' || i || '" \\ ' || i, date '2020-01-01' + (i % 900) from generate_series(1, 500) i;
  insert into tasks select i, case when i % 50 = 0 then 'new' when i % 7 = 0 then 'running' else 'done' end,
    (case when i % 50 = 0 then 'new' else 'done' end)::task_state, 1 + i % 500, timestamptz '2025-01-01' + i * interval '37 minutes',
    date '2025-01-01' + i % 365, i % 1000 / 7.0, i % 100 / 3.0, i % 10 = 0,
    jsonb_build_object('k', 'v' || i % 5, 'n', i % 9, 'we"ird', true), array['tag' || i % 11, 'tag,"' || i % 3], 'the quick brown fox ' || i || ' jumps',
    to_tsvector('english', 'the quick brown fox ' || i || ' jumps over ' || i % 13), md5(i::text)::uuid,
    tstzrange(timestamptz '2025-01-01' + i * interval '1 hour', timestamptz '2025-01-02' + i * interval '1 hour'),
    ('10.0.' || i % 200 || '.1')::inet, box(point(i, i), point(i + 1, i + 1)), i * interval '1 minute'
    from generate_series(1, 4000) i;
  insert into "Größe"."Mixed Case" select i, 'Straße ' || i from generate_series(1, 300) i;
  insert into log select timestamptz '2024-03-01' + i * interval '3 hours', 'k' || i % 4, '{"a": 1}' from generate_series(1, 2000) i;
  create index tasks_fts on tasks using gin (to_tsvector('english', body));
  create index tasks_k on tasks ((meta ->> 'k'));
  analyze;
`;

/** Statements as an application sends them; the server normalises them. */
const STATEMENTS = [
  `select * from tasks where status = 'new' and created_at > '2025-02-01' order by created_at desc limit 20`,
  `select id from tasks where created_at >= '2025-02-01' and created_at < '2025-02-08'`,
  `select id from tasks where created_at > now() - interval '3 days'`,
  `select id from tasks where created_at > current_timestamp - '3 days'::interval`,
  `select id from tasks where due between date '2025-02-01' and date '2025-03-01' and took > interval '2' hour`,
  `select extract(year from created_at), count(*) from tasks where created_at > timestamp with time zone '2025-01-01' group by 1`,
  `select date_trunc('day', created_at) d, sum(price * 1.2), count(*) filter (where status = 'new') from tasks group by d having count(*) > 3 order by d`,
  `select id from tasks where id in (1, 2, 3, 4)`,
  `select id from tasks where area @> point(3.5, 4.5) or area && box(point(1, 2), point(3, 4)) or circle(area) @> point(1, 1)`,
  `select id from tasks order by point(area) <-> point(7, 8) limit 3`,
  `select id from tasks where owner_id = any ('{1,2,3}'::bigint[]) or id = any (array[4, 5])`,
  `select id from tasks where body like '%fox%' and status like 'n%' and body ilike '%Quick%' and body ~ '^the' and status not like '%z'`,
  `select id from users where name like 'Na' || '%' and lower(email) = lower('User7@Example.org')`,
  `select id from tasks where meta ->> 'k' = 'v1' and (meta -> 'n')::int > 3 and meta @> '{"k": "v2"}' and meta ? 'k'`,
  `select id from tasks where tags @> array['tag1'] or tags && '{tag2}' or 'tag3' = any (tags)`,
  `select id, ts_rank(search, plainto_tsquery('english', 'fox')) from tasks where search @@ plainto_tsquery('english', 'fox') limit 5 offset 10`,
  `select id from tasks where to_tsvector('english', body) @@ websearch_to_tsquery('english', 'quick fox')`,
  `select id from tasks where key = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b' and state = 'new' and active and not (price < 3.5)`,
  `select id from tasks where state = 'new'::task_state and price > -5 and score between 0.5 and 7 and active = true`,
  `select id from tasks where created_at::date = '2025-02-03' and date(created_at) <> '2025-02-04'`,
  `select id from tasks where (created_at, id) > ('2025-02-01', 100) order by created_at, id limit 10`,
  `select id from tasks where (status, owner_id) in (('new', 1), ('done', 2))`,
  `select id from tasks where span @> timestamptz '2025-02-01' and span && tstzrange('2025-01-01', '2025-02-01')`,
  `select id from tasks where addr <<= '10.0.1.0/24' and area && box '(0,0),(5,5)'`,
  `select id from tasks order by body <-> 'quick' limit 3`,
  `select id from users where email = 'user3@example.org' and created > '2020-02-01'`,
  `select t.id, coalesce(u.name, 'nobody'), case when t.status = 'new' then 1 else 0 end from tasks t left join users u on u.id = t.owner_id where u.name is not null and coalesce(t.body, '') <> ''`,
  `select text from open_tasks where email = 'user1@example.org' and text like 'the%'`,
  `with recent as (select * from tasks where created_at > '2025-03-01') select owner_id, count(*) from recent where status = 'new' group by owner_id order by 2 desc limit 3`,
  `select id from tasks t where exists (select 1 from users u where u.id = t.owner_id and u.name = 'x') and price > (select avg(price) * 1.5 from tasks where status = 'done')`,
  `select kind, count(*) from log where at >= '2025-01-05' and at < '2025-01-06' and kind = 'k1' group by kind`,
  `select * from "Größe"."Mixed Case" where "Straße" = 'Straße 7' and "Id" < 10 -- ünïcödé`,
  `insert into tasks (id, status, state, owner_id, created_at, active, meta, tags, key) values (100001, 'new', 'new', 1, now(), true, '{}', '{a}', md5('x')::uuid) on conflict (id) do update set status = 'x', price = excluded.price + 1`,
  `update tasks set status = 'done', price = price + 1, tags = tags || '{z}', meta = meta || '{"z": 1}' where id = 5 and status <> 'done'`,
  `delete from tasks where created_at < now() - interval '50 years' and status = 'done' returning id`,
  `select id from tasks where 1 = 1 and status = 'new' union all select id from users where name = 'y' order by 1 limit 5`,
  `select id from tasks where area && box(point(3, 3), point(9, 9)) order by point(area) <-> point(4, 4) limit 5`,
  `select generate_series(1, 3), round(2.5, 1), substring('abc' from 2 for 1), 'a' || 'b', position('b' in 'abc'), 'x' as lit`,
  `select row_number() over (partition by status order by created_at desc), lag(price, 1) over (order by id) from tasks where owner_id = 3 limit 10`,
  `select count(*) from tasks where created_at > to_timestamp(1735689600) and length(body) > 5 and status || 'x' = 'newx'`,
  `select json_build_object('a', id) from tasks where id = 7 fetch first 2 rows only`,
  `merge into users u using (select 1::bigint as id, 'a@b' as email) s on u.id = s.id when matched and u.name <> 'q' then update set name = 'n' when not matched then insert (id, email) values (s.id, 'z@z')`,
  `select id from all_times where at >= '2025-02-01' and at < '2025-02-08' and kind = 'k1' order by at desc limit 5`,
  `select id from all_times where at between '2025-02-01' and '2025-02-08'`,
  `select id from (select * from (select id, due, key from tasks order by id limit 900) inner_ union select id, due, key from tasks where active) t where due = '2025-02-01' or key = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'`,
  `select owner_id from (select owner_id, max(created_at) as last, count(*) n from tasks group by 1) t where last > '2025-02-01' and n > 3`,
  `select id from (select id, lag(due) over (order by id) as before from tasks) t where before < '2025-02-01'`,
  `select owner_id from tasks group by 1 having max(created_at) > '2025-02-01' and min(state) = 'new'`,
  `select id, created_at from tasks where owner_id = 3 union all select 1, at from log where kind = 'k1' order by 2 desc limit 5`,
  `select id from tasks where interval '1 day' * 2 < took and created_at at time zone 'UTC' > timestamp '2025-01-01 00:00'`,
];

async function explainable(client: pg.Client, sql: string): Promise<string | null> {
  try {
    await client.query(`explain ${sql}`);
    return null;
  } catch (error) {
    return `${(error as Error).message}: ${sql}`;
  }
}

describe.each(testMajors)('on PostgreSQL %i', (major) => {
  test('every sampled statement can be planned, and none by a false constant', async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({ sql: SCHEMA });
    const client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    try {
      await client.query(`select /* pgluthier */ count(*) from tasks`);
      for (const sql of STATEMENTS) await client.query(sql);
      await client.query('select relname from pg_class where relname = $1', ['x']);
      await client.query('vacuum users');
      const snapshot: Snapshot = await readSnapshot(client);
      const catalog = await usageCatalog(snapshot);
      const workload: Workload = await workloadFromSnapshot(snapshot);

      expect(workload.set_aside.filter((each) => ['unparsable', 'truncated'].includes(each.code))).toEqual(
        [],
      );
      expect(workload.set_aside.filter((each) => each.code === 'own_query').length).toBeGreaterThan(0);
      expect(workload.set_aside.some((each) => each.code === 'catalog_only')).toBe(true);
      expect(workload.set_aside.some((each) => each.code === 'utility')).toBe(true);
      expect(workload.queries.length).toBeGreaterThanOrEqual(STATEMENTS.length);

      const failures: string[] = [];
      for (const query of workload.queries) {
        const { samples, parameters } = await sampleStatements(query, snapshot, catalog);
        expect(samples.length).toBeGreaterThan(0);
        expect(samples.reduce((sum, each) => sum + each.weight, 0)).toBeCloseTo(1);
        for (const sample of samples) {
          const failure = await explainable(client, sample.sql);
          if (failure !== null) failures.push(failure);
          else {
            const plan = await client.query(`explain ${sample.sql}`);
            const text = plan.rows.map((row: { 'QUERY PLAN': string }) => row['QUERY PLAN']).join('\n');
            if (text.includes('One-Time Filter: false')) failures.push(`false: ${sample.sql}`);
          }
          await statementUsage(sample.sql, catalog);
        }
        for (const parameter of parameters) expect(parameter.values.length).toBeGreaterThan(0);
      }
      expect(failures).toEqual([]);
    } finally {
      await client.end();
      await database.drop();
    }
  });
});
