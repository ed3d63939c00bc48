/** Statements with parameters over values of very different frequency: each stands for several plans. */
import type { GeneratedWorkload } from './index-workload.ts';

const script = `
CREATE TABLE accounts (id bigint PRIMARY KEY, tenant_id int NOT NULL, plan text NOT NULL, region text NOT NULL,
  email text NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE tickets (id bigint PRIMARY KEY, tenant_id int NOT NULL, account_id bigint NOT NULL, state text NOT NULL,
  priority int NOT NULL, assignee_id int, topic text NOT NULL, opened_at timestamptz NOT NULL, closed_at timestamptz,
  body text NOT NULL);
CREATE TABLE messages (id bigint PRIMARY KEY, ticket_id bigint NOT NULL, tenant_id int NOT NULL, sender text NOT NULL,
  channel text NOT NULL, sent_at timestamptz NOT NULL, length int NOT NULL, body text NOT NULL);
CREATE TABLE ratings (ticket_id bigint NOT NULL, tenant_id int NOT NULL, score int NOT NULL, given_at timestamptz NOT NULL);
-- Ranks after Zipf: the first of 400 tenants has about a sixth of all.
CREATE FUNCTION ranked(g bigint, size int) RETURNS int IMMUTABLE LANGUAGE sql
  AS $$ SELECT 1 + floor(size ^ (((g * 48271) % 2147483647) / 2147483647.0) - 1)::int $$;
INSERT INTO accounts SELECT g, ranked(g, 400), (ARRAY['free', 'free', 'free', 'free', 'pro', 'team'])[1 + g % 6],
  (ARRAY['eu', 'us', 'us', 'ap'])[1 + g % 4], 'a' || g || '@example.org', timestamptz '2022-01-01' + g * interval '20 minutes'
  FROM generate_series(1, 60000) g;
INSERT INTO tickets SELECT g, ranked(g, 400), 1 + (g::bigint * 7919) % 60000,
  CASE WHEN g % 200 = 0 THEN 'escalated' WHEN g % 25 = 0 THEN 'open' WHEN g % 40 = 1 THEN 'waiting' ELSE 'closed' END,
  CASE WHEN g % 90 = 0 THEN 1 WHEN g % 9 = 0 THEN 2 ELSE 3 END,
  CASE WHEN g % 3 = 0 THEN NULL ELSE ranked(g * 3, 150) END, 'topic' || ranked(g * 7, 60),
  timestamptz '2023-01-01' + g * interval '4 minutes', CASE WHEN g % 25 = 0 THEN NULL ELSE timestamptz '2023-01-02' + g * interval '4 minutes' END,
  repeat('b', 30 + g % 150) FROM generate_series(1, 180000) g;
INSERT INTO messages SELECT g, ranked(g * 11, 180000), ranked(g, 400), (ARRAY['agent', 'customer', 'bot'])[1 + g % 3],
  CASE WHEN g % 100 = 0 THEN 'phone' WHEN g % 5 = 0 THEN 'chat' ELSE 'mail' END,
  timestamptz '2023-01-01' + g * interval '1 minute', 10 + g % 900, repeat('m', 20 + g % 100)
  FROM generate_series(1, 350000) g;
INSERT INTO ratings SELECT g * 2, ranked(g, 400), CASE WHEN g % 12 = 0 THEN 1 ELSE 5 END, timestamptz '2023-01-01' + g * interval '9 minutes'
  FROM generate_series(1, 80000) g;
`;

export const skewed: GeneratedWorkload = {
  name: 'skewed',
  script,
  growth: 1,
  statements: [
    {
      calls: 900,
      sql: 'SELECT id, topic, opened_at FROM tickets WHERE tenant_id = $1 AND state = $2 ORDER BY opened_at DESC LIMIT 20',
    },
    { calls: 500, sql: 'SELECT count(*) FROM tickets WHERE tenant_id = $1 AND state = $2' },
    {
      calls: 300,
      sql: 'SELECT id, tenant_id FROM tickets WHERE state = $1 AND priority = $2 ORDER BY opened_at LIMIT 50',
    },
    { calls: 400, sql: 'SELECT id, topic, state FROM tickets WHERE assignee_id = $1 AND state = $2' },
    {
      calls: 80,
      sql: 'SELECT topic, count(*) FROM tickets WHERE tenant_id = $1 AND opened_at >= $2 AND opened_at < $3 GROUP BY topic',
    },
    { calls: 30, sql: 'SELECT tenant_id, count(*) FROM tickets WHERE topic = $1 GROUP BY tenant_id' },
    {
      calls: 700,
      sql: 'SELECT t.id, t.state FROM tickets t JOIN accounts a ON a.id = t.account_id WHERE a.email = $1',
    },
    {
      calls: 60,
      sql: 'SELECT a.region, count(*) FROM tickets t JOIN accounts a ON a.id = t.account_id WHERE t.tenant_id = $1 AND t.priority = $2 GROUP BY a.region',
    },
    { calls: 1200, sql: 'SELECT sender, sent_at, body FROM messages WHERE ticket_id = $1 ORDER BY sent_at' },
    { calls: 200, sql: 'SELECT count(*), avg(length) FROM messages WHERE tenant_id = $1 AND channel = $2' },
    {
      calls: 50,
      sql: 'SELECT date_trunc($1, sent_at) AS day, count(*) FROM messages WHERE tenant_id = $2 AND sent_at > $3 GROUP BY day',
    },
    {
      calls: 90,
      sql: 'SELECT m.ticket_id FROM messages m JOIN tickets t ON t.id = m.ticket_id WHERE t.tenant_id = $1 AND t.state = $2 AND m.channel = $3',
    },
    {
      calls: 40,
      sql: 'SELECT id FROM messages WHERE channel = $1 AND length > $2 ORDER BY sent_at DESC LIMIT 10',
    },
    { calls: 150, sql: 'SELECT avg(score) FROM ratings WHERE tenant_id = $1' },
    {
      calls: 60,
      sql: 'SELECT t.id, r.score FROM ratings r JOIN tickets t ON t.id = r.ticket_id WHERE r.score = $1 AND t.tenant_id = $2',
    },
    {
      calls: 100,
      sql: 'SELECT id, email FROM accounts WHERE tenant_id = $1 AND plan = $2 ORDER BY created_at DESC LIMIT 25',
    },
    {
      calls: 25,
      sql: 'SELECT region, plan, count(*) FROM accounts WHERE created_at >= $1 GROUP BY region, plan',
    },
  ],
};
