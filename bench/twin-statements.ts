/** Statements on the database of twin-schema.ts: plans of all kinds; values common and rare, within histograms and past them. */

const A = '"Zoo Ü"."Account"';

export const zooStatements: Record<string, string> = {
  primary_key: 'SELECT * FROM orders WHERE id = 777',
  primary_key_range: 'SELECT sum(total) FROM orders WHERE id BETWEEN 1000 AND 5000',
  primary_key_any: 'SELECT * FROM orders WHERE id = ANY (ARRAY[1, 50, 999, 12345]::int8[])',
  common_value: "SELECT count(*) FROM orders WHERE status = 'done'",
  rare_value: "SELECT * FROM orders WHERE status = 'open' ORDER BY placed_at DESC LIMIT 20",
  negation: "SELECT count(*) FROM orders WHERE status <> 'done' AND NOT flag",
  is_null: 'SELECT count(*) FROM orders WHERE shipped_at IS NULL',
  disjunction: "SELECT * FROM orders WHERE account_id = 77 OR id = 9 OR meta ->> 'campaign' = '12'",
  bpchar: "SELECT count(*) FROM orders WHERE code = '1A2B3C'",
  join_and_group: `SELECT a.country, sum(o.total) FROM orders o JOIN ${A} a ON a.id = o.account_id GROUP BY a.country`,
  join_few: `SELECT o.* FROM ${A} a JOIN orders o ON o.account_id = a.id WHERE lower(a."E-Mail") = 'user77@example.com'`,
  join_three: `SELECT a.city, d.id, count(*) FROM ${A} a JOIN orders o ON o.account_id = a.id JOIN doc d ON d.id = o.id WHERE a.state = 'gone' GROUP BY 1, 2`,
  left_join: `SELECT a.id, o.id FROM ${A} a LEFT JOIN orders o ON o.account_id = a.id AND o.status = 'sent' WHERE a.balance > 9900`,
  semi_join: `SELECT count(*) FROM ${A} a WHERE EXISTS (SELECT 1 FROM orders o WHERE o.account_id = a.id AND o.status = 'open')`,
  anti_join: `SELECT count(*) FROM ${A} a WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.account_id = a.id)`,
  merge_join: 'SELECT o.id FROM orders o JOIN doc d USING (id) ORDER BY o.id LIMIT 500',
  self_join: 'SELECT count(*) FROM orders a JOIN orders b ON a.account_id = b.account_id AND a.code = b.code',
  lateral: `SELECT a.id, l.id FROM ${A} a, LATERAL (SELECT id FROM orders WHERE account_id = a.id ORDER BY id DESC LIMIT 1) l WHERE a.id < 30`,
  expression: `SELECT id FROM ${A} WHERE "Zoo Ü".host("E-Mail") = 'host3.net'`,
  partial_descending: `SELECT id FROM ${A} WHERE state = 'open' AND balance > 9000 ORDER BY balance DESC NULLS LAST LIMIT 5`,
  enum_and_null: `SELECT count(*) FROM ${A} WHERE state > 'open' AND country IS NULL`,
  domain_range: `SELECT id FROM ${A} WHERE balance BETWEEN 5 AND 6`,
  composite_field: `SELECT id FROM ${A} WHERE (home).city = 'city3' AND (home).number = 3`,
  dependencies_two: `SELECT count(*) FROM ${A} WHERE country = 'C1' AND city = 'city5'`,
  dependencies_three: `SELECT * FROM ${A} WHERE country = 'C0' AND city = 'city2' AND zip = 'z2-7'`,
  dependencies_impossible: `SELECT * FROM ${A} WHERE country = 'C0' AND city = 'city20'`,
  multivariate_in: `SELECT count(*) FROM ${A} WHERE city IN ('city1', 'city2') AND zip IN ('z1-1', 'z2-2', 'z2-3')`,
  ndistinct_group: `SELECT country, city, zip, count(*) FROM ${A} GROUP BY country, city, zip`,
  ndistinct_pair: `SELECT country, city, count(*) FROM ${A} GROUP BY country, city`,
  mcv_with_expression: `SELECT * FROM ${A} WHERE state = 'open' AND name_length = 33 AND id % 10 = 3`,
  statistics_of_expression: `SELECT date_trunc('day', created AT TIME ZONE 'UTC'), count(*) FROM ${A} GROUP BY 1`,
  expression_equality: `SELECT count(*) FROM ${A} WHERE date_trunc('day', created AT TIME ZONE 'UTC') = '2020-06-01'`,
  dependencies_status: 'SELECT count(*) FROM orders WHERE status = $$sent$$ AND flag AND account_id = 100',
  ndistinct_status: 'SELECT status, flag, account_id, count(*) FROM orders GROUP BY 1, 2, 3',
  icu_range: `SELECT id FROM ${A} WHERE name >= 'B' AND name < 'Bz'`,
  icu_like: `SELECT id FROM ${A} WHERE name LIKE 'Bab%'`,
  trigram: `SELECT id FROM ${A} WHERE name LIKE '%abc1%'`,
  hash_equality: `SELECT id FROM ${A} WHERE zip = 'z3-11'`,
  brin_small: `SELECT count(*) FROM ${A} WHERE created < '2020-01-05'`,
  range_overlap: `SELECT id FROM ${A} WHERE active && daterange('2021-03-01', '2021-03-04')`,
  range_contains: 'SELECT id FROM orders WHERE span @> 5000',
  range_gist: "SELECT id FROM orders WHERE span && '[5000,5010)'::int4range",
  own_range: "SELECT count(*) FROM orders WHERE level && '[0.1,0.2)'::floatrange",
  array_contains: `SELECT id FROM ${A} WHERE tags @> ARRAY['t7']`,
  array_overlap: `SELECT id FROM ${A} WHERE tags && ARRAY['t7', 't250']`,
  array_any: 'SELECT id FROM doc WHERE words @> ARRAY[17, 45]',
  json_contains: `SELECT count(*) FROM orders WHERE meta @> '{"campaign": 12}'`,
  json_field: "SELECT count(*) FROM orders WHERE meta ->> 'campaign' = '12'",
  index_only: 'SELECT account_id, total FROM orders WHERE account_id BETWEEN 15000 AND 15100',
  brin_range: "SELECT count(*) FROM orders WHERE placed_at >= '2023-05-01' AND placed_at < '2023-05-02'",
  window:
    'SELECT id, rank() OVER (PARTITION BY account_id ORDER BY total) FROM orders WHERE account_id BETWEEN 5000 AND 5100',
  distinct: 'SELECT DISTINCT account_id, code FROM orders',
  top_groups: 'SELECT code, count(*) FROM orders GROUP BY code ORDER BY 2 DESC LIMIT 10',
  union_all: 'SELECT id FROM orders WHERE account_id = 3 UNION ALL SELECT id FROM doc WHERE id < 50',
  cte: "WITH late AS MATERIALIZED (SELECT * FROM orders WHERE placed_at > '2023-12-25') SELECT count(*) FROM late JOIN doc ON doc.id = late.id",
  scalar_subquery:
    'SELECT id, (SELECT count(*) FROM orders o WHERE o.account_id = d.id) FROM doc d WHERE d.id < 100',
  grouping_sets: 'SELECT status, flag, sum(total) FROM orders GROUP BY GROUPING SETS ((status), (flag), ())',
  row_comparison:
    'SELECT * FROM orders WHERE (account_id, id) > (58000, 100) ORDER BY account_id, id LIMIT 10',
  partition_pruned:
    "SELECT count(*) FROM event WHERE at >= '2023-03-01' AND at < '2023-04-01' AND kind = 'c'",
  partitions_all: "SELECT kind, count(*) FROM event WHERE kind IN ('c', 'd') GROUP BY kind",
  partition_sorted: "SELECT * FROM event WHERE kind = 'b' ORDER BY at LIMIT 10",
  partition_key: 'SELECT * FROM event WHERE id = 4321',
  partition_hash: 'SELECT avg(value) FROM metric WHERE host = 33',
  partition_group: 'SELECT kind, actor, count(*) FROM event GROUP BY kind, actor',
  partition_join: "SELECT count(*) FROM event e JOIN metric m ON m.host = e.actor WHERE e.at = '2024-02-03'",
  partition_deep: "SELECT * FROM event WHERE at = '2024-05-05' AND kind = 'b' AND actor = 7",
  full_text: "SELECT id FROM doc WHERE search @@ to_tsquery('simple', 'w77 & w3')",
  nearest: 'SELECT id FROM doc ORDER BY place <-> point(50, 50) LIMIT 5',
  spgist_box: "SELECT id FROM doc WHERE place <@ box '((10,10),(12,12))'",
  network: "SELECT id FROM doc WHERE ip <<= '10.7.0.0/16'",
  gist_trigram: "SELECT id FROM doc WHERE body ILIKE '%w3999 w%'",
  inheritance: "SELECT count(*) FROM log WHERE at BETWEEN '2022-01-03' AND '2022-01-04'",
  inheritance_group: 'SELECT level, count(*) FROM log GROUP BY level',
  inheritance_only: 'SELECT level, count(*) FROM ONLY log GROUP BY level',
  view: "SELECT country, count(*) FROM open_order WHERE placed_at > '2023-06-01' GROUP BY country",
  materialized_view: 'SELECT * FROM turnover WHERE total > 4000',
  never_analysed: 'SELECT * FROM never_analysed WHERE id = 5',
  same_name_elsewhere: 'SELECT * FROM "Zoo Ü".orders WHERE account_id = 7',
  minimum: 'SELECT min(id), max(id) FROM orders',
  past_the_histogram: "SELECT count(*) FROM stale WHERE at > '2024-02-12'",
  first_bin: "SELECT count(*) FROM stale WHERE at < '2024-01-01 03:00'",
  update: "UPDATE orders SET status = 'sent' WHERE account_id = 12345 AND status = 'open'",
  delete: "DELETE FROM event WHERE at < '2023-02-01'",
  insert_select:
    'INSERT INTO never_analysed SELECT account_id, status FROM orders WHERE account_id BETWEEN 5000 AND 5100',
};

/** The demo's workload (src/demo/workload.ts) with values. */
export const demoStatements: Record<string, string> = {
  demo_newest:
    'SELECT id, goal, status, created_at FROM app.tasks WHERE owner_id = 77 ORDER BY created_at DESC LIMIT 20',
  demo_queue:
    'SELECT id, arm_id, goal FROM app.tasks WHERE finished_at IS NULL ORDER BY priority DESC, created_at LIMIT 50',
  demo_email:
    "SELECT id, name, entity_type FROM app.entities WHERE lower(email) = lower('user.5@example.org')",
  demo_text:
    "SELECT id, name FROM app.entities WHERE search @@ plainto_tsquery('english', 'topic77') ORDER BY id LIMIT 20",
  demo_json: `SELECT id, name FROM app.entities WHERE properties @> '{"serial": 77}'`,
  demo_pointing: `SELECT e.id, e.name, r.weight FROM app.relationships r JOIN app.entities e ON e.id = r.from_entity_id
    WHERE r.to_entity_id = 500 AND r.relationship_type = 'uses'`,
  demo_neighbours:
    'SELECT to_entity_id, relationship_type FROM app.relationships WHERE from_entity_id = 4711',
  demo_history:
    'SELECT action, succeeded FROM app.action_log WHERE task_id = 250000 ORDER BY created_at DESC LIMIT 10',
  demo_hours:
    "SELECT action, count(*), avg(duration_ms) FROM app.action_log WHERE created_at >= now() - interval '3 hours' GROUP BY action",
  demo_update: "UPDATE app.tasks SET status = 'completed', attempts = attempts + 1 WHERE id = 7777",
  demo_key: 'SELECT goal, status FROM app.tasks WHERE id = 12345',
  demo_arms: 'SELECT a.name, count(*) FROM app.tasks t JOIN app.arms a ON a.id = t.arm_id GROUP BY a.name',
};
