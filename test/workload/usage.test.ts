import { beforeAll, describe, expect, test } from 'vitest';
import type { StatementUsage, UsagePredicate } from '../../src/domain/index.ts';
import { statementUsage, type UsageCatalog, usageCatalog } from '../../src/workload/index.ts';
import { columnsOf, snapshot, tableRow } from './snapshots.ts';

let catalog: UsageCatalog;

beforeAll(async () => {
  const tasks = tableRow({ oid: 1, name: 'tasks' });
  const users = tableRow({ oid: 2, name: 'users' });
  const odd = tableRow({ oid: 3, schema: 'Ünï', name: 'Mixed Case' });
  const shadow = tableRow({ oid: 4, schema: 'app', name: 'users' });
  const base = snapshot();
  catalog = await usageCatalog(
    snapshot({
      tables: [tasks, users, odd, shadow],
      columns: [
        ...columnsOf(tasks, {
          id: 'bigint',
          status: 'text',
          owner_id: 'bigint',
          created_at: 'timestamp with time zone',
          meta: 'jsonb',
          active: 'boolean',
          tags: 'text[]',
          body: 'text',
          search: 'tsvector',
          name: 'character varying(40)',
          place: 'point',
        }),
        ...columnsOf(users, { id: 'bigint', email: 'text', name: 'text' }),
        ...columnsOf(odd, { Id: 'integer', Straße: 'text' }),
        ...columnsOf(shadow, { id: 'bigint', level: 'integer' }),
      ],
      schema: {
        ...base.schema,
        views: [
          {
            oid: 9,
            schema: 'public',
            name: 'open_tasks',
            definition: ` SELECT t.id, t.owner_id, lower(t.body) AS text FROM tasks t WHERE (t.status = 'open'::text);`,
          },
          { oid: 10, schema: 'public', name: 'loop', definition: ' SELECT loop.id FROM loop;' },
        ],
      },
    }),
  );
});

/** `table.operand kind operator`, with joins, literals and disjunctions where there are any. */
function show(usage: StatementUsage, predicate: UsagePredicate): string {
  const relation = usage.relations[predicate.relation];
  const joined = predicate.joins && usage.relations[predicate.joins.relation];
  const parts = [
    `${relation?.alias}.${predicate.column ?? `(${predicate.expression ?? '?'})`}`,
    predicate.kind,
    predicate.operator,
  ];
  if (predicate.joins) parts.push(`join ${joined?.alias}.${predicate.joins.column}`);
  if (predicate.literal !== null) parts.push(`[${predicate.literal}]`);
  if (predicate.disjunction !== null) parts.push(`or ${predicate.disjunction}/${predicate.branch}`);
  return parts.join(' ');
}

async function predicates(sql: string): Promise<string[]> {
  const usage = await statementUsage(sql, catalog);
  return usage.predicates.map((predicate) => show(usage, predicate)).sort();
}

describe('predicates', () => {
  test.each<[string, string[]]>([
    [`status = $1`, ['tasks.status equality =']],
    [`$1 < created_at`, ['tasks.created_at range >']],
    [`status = 'new'`, [`tasks.status equality = [status = 'new']`]],
    [`status <> 'done'`, [`tasks.status other <> [status <> 'done']`]],
    [`status in ('a', 'b')`, [`tasks.status in = [status IN ('a', 'b')]`]],
    [`status not in ('a')`, [`tasks.status other NOT IN [status NOT IN ('a')]`]],
    [`id = any ($1)`, ['tasks.id in =']],
    [`id between 3 and $1`, ['tasks.id range <=', 'tasks.id range >= [id >= 3]']],
    [
      `body is null and name is not null`,
      ['tasks.body is_null IS NULL [body IS NULL]', 'tasks.name is_not_null IS NOT NULL [name IS NOT NULL]'],
    ],
    [`active`, ['tasks.active equality = [active]']],
    [`not active`, ['tasks.active equality = [NOT (active)]']],
    [`active is true`, ['tasks.active equality = [active IS TRUE]']],
    [`active is not true`, ['tasks.active other = [active IS NOT TRUE]']],
    [`body like 'ab%'`, [`tasks.body like_prefix ~~ [body LIKE 'ab%']`]],
    [`body like '%ab%'`, [`tasks.body like_infix ~~ [body LIKE '%ab%']`]],
    [`body like $1`, ['tasks.body like_infix ~~']],
    [`body not like 'ab%'`, [`tasks.body other !~~ [body NOT LIKE 'ab%']`]],
    [`body ilike 'ab%'`, [`tasks.body like_infix ~~* [body ILIKE 'ab%']`]],
    [`body ~ '^abc'`, [`tasks.body like_prefix ~ [body ~ '^abc']`]],
    [`body ~ '^(a|b)'`, [`tasks.body like_infix ~ [body ~ '^(a|b)']`]],
    [`starts_with(body, 'a')`, [`tasks.body like_prefix ^@ [starts_with(body, 'a')]`]],
    [`search @@ to_tsquery('a')`, ['tasks.search full_text @@']],
    [
      `to_tsvector('english', body) @@ plainto_tsquery($1)`,
      [`tasks.(to_tsvector('english', body)) full_text @@`],
    ],
    [`to_tsvector($1, body) @@ plainto_tsquery($2)`, ['tasks.(?) full_text @@']],
    [`meta @> '{"a": 1}'`, [`tasks.meta contains @> [meta @> '{"a": 1}']`]],
    [`meta @@ '$.a > 1'`, [`tasks.meta contains @@ [meta @@ '$.a > 1']`]],
    [`meta ? 'k' and tags && $1`, [`tasks.meta contains ? [meta ? 'k']`, 'tasks.tags contains &&']],
    [`(meta ->> 'k') = $1`, [`tasks.(meta ->> 'k') equality =`]],
    [`(meta ->> $1) = $2`, ['tasks.(?) equality =']],
    [`lower(name) = 'x'`, [`tasks.(lower(name)) equality = [lower(name) = 'x']`]],
    [`date(created_at) = $1`, ['tasks.(date(created_at)) equality =']],
    [`created_at::date = $1`, ['tasks.(created_at::date) equality =']],
    [`name::text = $1`, ['tasks.name equality =']],
    [`created_at > now() - interval '1 day'`, ['tasks.created_at range >']],
    [`(created_at, id) > ($1, $2)`, ['tasks.created_at range >', 'tasks.id range >']],
    [`(status, id) in (($1, $2), ($3, $4))`, ['tasks.id in =', 'tasks.status in =']],
    [`body = name`, ['tasks.(body = name) other = [body = name]']],
    [
      `status = 'a' or (id = 3 and active)`,
      [
        `tasks.active equality = [active] or 1/1`,
        'tasks.id equality = [id = 3] or 1/1',
        `tasks.status equality = [status = 'a'] or 1/0`,
      ],
    ],
    [
      `(status = 'a' and active) or (active and id = 3)`,
      [
        'tasks.active equality = [active]',
        'tasks.id equality = [id = 3] or 1/1',
        `tasks.status equality = [status = 'a'] or 1/0`,
      ],
    ],
    [`id = $1 or id = $2`, ['tasks.id equality = or 1/0', 'tasks.id equality = or 1/1']],
    [`ctid = '(0,1)' and $1`, []],
  ])('where %s', async (condition, expected) => {
    expect(await predicates(`select 1 from tasks where ${condition}`)).toEqual([...expected].sort());
  });

  test.each<[string, string[]]>([
    [
      'select 1 from tasks t join users u on u.id = t.owner_id',
      ['t.owner_id equality = join u.id', 'u.id equality = join t.owner_id'],
    ],
    [
      'select 1 from tasks join users using (id)',
      ['tasks.id equality = join users.id', 'users.id equality = join tasks.id'],
    ],
    [
      'select 1 from tasks natural join (select id from users) u',
      ['tasks.id equality = join users.id', 'users.id equality = join tasks.id'],
    ],
    [
      'select 1 from users u where exists (select 1 from tasks where owner_id = u.id and active)',
      [
        'tasks.active equality = [active]',
        'tasks.owner_id equality = join u.id',
        'u.id equality = join tasks.owner_id',
      ],
    ],
    [
      'select 1 from users where id in (select owner_id from tasks where status = $1)',
      [
        'tasks.owner_id equality = join users.id',
        'tasks.status equality =',
        'users.id equality = join tasks.owner_id',
      ],
    ],
    ['select 1 from tasks where id = (select max(id) from users)', ['tasks.id equality =']],
    [
      'select 1 from tasks t where id = (select max(u.id) from users u where u.name = t.name)',
      ['t.name equality = join u.name', 'u.name equality = join t.name'],
    ],
    ['select 1 from (select id i, status s from tasks) x where s = $1', ['tasks.status equality =']],
    ['select 1 from (select id i, status s from tasks limit 5) x where s = $1', []],
    [
      'select 1 from (select status s, count(*) c from tasks group by status) x where s = $1 and c > 3',
      ['tasks.status equality ='],
    ],
    ['with q as (select * from tasks) select 1 from q where status = $1', ['tasks.status equality =']],
    ['with q as materialized (select * from tasks) select 1 from q where status = $1', []],
    ['with q as (select * from tasks) select 1 from q a join q b using (id) where a.status = $1', []],
    [
      'with recursive r as (select id from tasks where id = $1 union all select t.id from tasks t join r on t.owner_id = r.id) select * from r',
      ['t.owner_id equality =', 'tasks.id equality ='],
    ],
    [
      'select 1 from (select id, status s from tasks union all select id, email from users) x where s = $1',
      ['tasks.status equality =', 'users.email equality ='],
    ],
    [
      `select 1 from open_tasks where owner_id = 3 and text = 'x'`,
      [
        `t.(lower(body)) equality = [lower(body) = 'x']`,
        't.owner_id equality = [owner_id = 3]',
        `t.status equality = [status = 'open'::text]`,
      ],
    ],
    [
      'select 1 from users u, lateral (select * from tasks t where t.owner_id = u.id) x where x.status = $1',
      ['t.owner_id equality = join u.id', 't.status equality =', 'u.id equality = join t.owner_id'],
    ],
    ['select id from tasks order by place <-> point(1, 2) limit 3', ['tasks.place distance <->']],
    [
      'update tasks set status = $1 from users u where u.id = owner_id and u.email = $2',
      ['tasks.owner_id equality = join u.id', 'u.email equality =', 'u.id equality = join tasks.owner_id'],
    ],
    [
      'delete from tasks using users where users.id = tasks.owner_id',
      ['tasks.owner_id equality = join users.id', 'users.id equality = join tasks.owner_id'],
    ],
    ['insert into tasks (id) select id from users where email = $1', ['users.email equality =']],
    [
      'merge into tasks t using users u on t.owner_id = u.id when matched then delete',
      ['t.owner_id equality = join u.id', 'u.id equality = join t.owner_id'],
    ],
    ['select 1 from generate_series(1, 3) g join tasks on id = g', ['tasks.id equality =']],
    ['select 1 from app.users where level > 3', ['users.level range > [level > 3]']],
    ['select 1 from "Ünï"."Mixed Case" m where m."Straße" = $1', ['m.Straße equality =']],
  ])('%s', async (sql, expected) => {
    const found = await predicates(sql);
    for (const each of expected) expect(found).toContain(each);
    expect(found).toHaveLength(expected.length);
  });
});

describe('orders, groups, limits', () => {
  test.each<[string, string[], boolean]>([
    [
      'select * from tasks order by created_at desc nulls last, id limit 5',
      ['created_at desc last, id asc'],
      true,
    ],
    ['select id from tasks order by created_at', ['created_at asc'], false],
    ['select status s, created_at from tasks order by 2 desc, s', ['created_at desc, status asc'], false],
    ['select lower(body) from tasks order by 1', ['lower(body) asc'], false],
    [
      'select t.id from tasks t join users u on u.id = t.owner_id order by t.created_at, u.name, t.id',
      ['created_at asc'],
      false,
    ],
    ['select status, count(*) from tasks group by status order by count(*) desc limit 3', [], false],
    ['select max(created_at) from tasks where status = $1', ['created_at desc'], true],
    ['select min(id), count(*) from tasks', [], false],
    ['select rank() over (partition by status order by id desc) from tasks', ['status asc, id desc'], false],
    ['select id from tasks order by place <-> point(1, 2) limit 3', [], true],
    ['select id from tasks order by $1, id', ['id asc'], false],
  ])('%s', async (sql, orders, limit) => {
    const usage = await statementUsage(sql, catalog);
    const shown = usage.orders.map((list) =>
      list
        .map((each) =>
          [each.column ?? each.expression, each.direction, each.nulls]
            .filter((part) => part !== null)
            .join(' '),
        )
        .join(', '),
    );
    expect(shown).toEqual(orders);
    expect(usage.has_limit).toBe(limit);
  });

  test.each<[string, string[]]>([
    ['select status, owner_id, count(*) from tasks group by 1, owner_id', ['status, owner_id']],
    ['select lower(name) n from tasks group by n', ['lower(name)']],
    ['select distinct status from tasks', ['status']],
    ['select distinct on (owner_id) id from tasks', ['owner_id']],
    ['select count(*) from tasks group by rollup (status, owner_id)', ['status, owner_id']],
    ['select t.status, u.name from tasks t, users u group by 1, 2', []],
  ])('%s', async (sql, groups) => {
    const usage = await statementUsage(sql, catalog);
    expect(
      usage.groups.map((group) => group.operands.map((each) => each.column ?? each.expression).join(', ')),
    ).toEqual(groups);
  });
});

describe('what is read and written', () => {
  test.each<[string, Record<string, string[] | null>]>([
    ['select * from tasks', { tasks: null }],
    ['select t.* from tasks t, users u where u.email = $1', { t: null, u: ['email'] }],
    ['select t from tasks t', { t: null }],
    ['select count(*) from tasks where active', { tasks: ['active'] }],
    ['select text from open_tasks', { t: ['status', 'body'] }],
    ['select x.id from (select * from tasks) x', { tasks: ['id'] }],
    ['select exists (select * from users where id = 1)', { users: ['id'] }],
    [
      'select sum(t.id) filter (where t.active), count(distinct status) from tasks t',
      { t: ['id', 'status', 'active'] },
    ],
  ])('%s', async (sql, expected) => {
    const usage = await statementUsage(sql, catalog);
    expect(Object.fromEntries(usage.relations.map((each) => [each.alias, each.columns_read]))).toEqual(
      expected,
    );
  });

  test.each<[string, Record<string, string[] | null>]>([
    ['select body, id from tasks where owner_id = $1', { tasks: ['owner_id'] }],
    ['select * from tasks where status = $1', { tasks: ['status'] }],
    ['select t from tasks t', { t: null }],
    ['select body as b, name from tasks order by b', { tasks: ['body'] }],
    ['select body, name from tasks order by 1', { tasks: ['body'] }],
    ['select body, max(id) from tasks group by 1', { tasks: ['id', 'body'] }],
    ['select distinct body from tasks', { tasks: ['body'] }],
    ['select distinct on (owner_id) body from tasks', { tasks: ['owner_id'] }],
    ['select lower(body), name from tasks', { tasks: ['body'] }],
    ['select body, rank() over (order by owner_id) from tasks', { tasks: ['owner_id'] }],
    ['select body from tasks union select email from users', { tasks: ['body'], users: ['email'] }],
    ['select body from tasks union all select email from users', { tasks: ['body'], users: ['email'] }],
    [
      'select b from (select body as b from tasks union select email from users) x',
      { tasks: ['body'], users: ['email'] },
    ],
    [
      'select b from (select body as b, id from tasks union all select email, id from users) x where x.id = 3',
      { tasks: ['id'], users: ['id'] },
    ],
    ['select id, text from open_tasks', { t: ['body', 'status'] }],
    ['select b from (select body as b, id from tasks) x where x.id = 1', { tasks: ['id'] }],
    ['select b from (select distinct body as b from tasks) x', { tasks: ['body'] }],
    [
      'select body from tasks where owner_id in (select id from users)',
      { tasks: ['owner_id'], users: ['id'] },
    ],
    ['select t.body, u.email from tasks t join users u on u.id = t.owner_id', { t: ['owner_id'], u: ['id'] }],
    ['delete from tasks where owner_id = $1 returning body', { tasks: ['owner_id', 'body'] }],
  ])('what something is done with: %s', async (sql, expected) => {
    const usage = await statementUsage(sql, catalog);
    const used = usage.relations.map(({ alias, columns_used }) => [alias, columns_used?.toSorted() ?? null]);
    const sorted = Object.entries(expected).map(([alias, names]) => [alias, names?.toSorted() ?? null]);
    expect(Object.fromEntries(used)).toEqual(Object.fromEntries(sorted));
  });

  test.each<[string, string[], string[]]>([
    [
      'update tasks set (status, body) = ($1, $2), active = not active where id = $3',
      ['status', 'body', 'active'],
      ['id', 'active'],
    ],
    ['insert into tasks (id, status) values ($1, $2)', [], []],
    [
      'insert into tasks (id) values ($1) on conflict (id) do update set status = excluded.status || tasks.body',
      ['status'],
      ['body'],
    ],
    ['delete from tasks where owner_id = $1 returning name', [], ['owner_id', 'name']],
    [
      'merge into tasks t using users u on t.id = u.id when matched then update set body = u.name when not matched then insert (id) values (u.id)',
      ['body'],
      ['id'],
    ],
  ])('%s', async (sql, written, read) => {
    const usage = await statementUsage(sql, catalog);
    expect(usage.relations[0]?.is_written).toBe(true);
    expect(usage.relations[0]?.columns_written).toEqual(written);
    expect(usage.relations[0]?.columns_read).toEqual(read);
    expect(usage.relations.slice(1).some((each) => each.is_written)).toBe(false);
  });
});

describe('names', () => {
  test('what cannot be resolved is said, and the rest is still read', async () => {
    const usage = await statementUsage(
      'select p_id from tasks join nowhere.x on x.a = tasks.id where status = p_status',
      catalog,
    );
    expect(usage.unresolved).toContain('relation nowhere.x');
    expect(usage.relations.map((each) => each.table)).toEqual(['tasks']);
    expect(usage.predicates.map((each) => each.column).sort()).toEqual(['id', 'status']);
  });

  test('a column that nothing has is named', async () => {
    const usage = await statementUsage('select 1 from tasks where status = p_status', catalog);
    expect(usage.unresolved).toEqual(['column p_status']);
  });

  test('the search path decides between tables of one name', async () => {
    const sql = 'select 1 from users where id = 1';
    const oid = async (path?: string[]) => (await statementUsage(sql, catalog, path)).relations[0]?.table_oid;
    expect(await oid()).toBe(2);
    expect(await oid(['app', 'public'])).toBe(4);
  });

  test('a table off the search path is taken where its name is the only one', async () => {
    const usage = await statementUsage('select "Id" from "Mixed Case"', catalog);
    expect(usage.relations[0]?.table_oid).toBe(3);
    expect(usage.unresolved[0]).toContain('taken as Ünï.Mixed Case');
  });

  test('a view that refers to itself ends', async () => {
    expect((await statementUsage('select * from loop', catalog)).unresolved).toContain('view public.loop');
  });
});
