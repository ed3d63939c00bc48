-- Rows for the demo, generated in the server: the same on every machine, but for times, which end at now().
-- Skew on purpose: few owners have most tasks, one status has most rows, few entities have most edges.

SELECT setseed(0.42);

INSERT INTO app.arms (id, name, capabilities, is_active)
SELECT n, 'arm-' || n, (ARRAY ['plan', 'search', 'code', 'judge'])[1 + n % 3:2 + n % 3], n <> 12
FROM generate_series(1, 12) AS n;

INSERT INTO app.tasks (owner_id, arm_id, status, priority, goal, attempts, created_at, updated_at, finished_at)
SELECT
    1 + floor(20000 * r.owner_draw ^ 2)::integer,
    1 + floor(12 * r.arm_draw ^ 1.5)::integer,
    (CASE
        WHEN n > 298500 AND r.status_draw < 0.7 THEN 'pending'
        WHEN n > 298500 THEN 'running'
        WHEN r.status_draw < 0.95 THEN 'completed'
        WHEN r.status_draw < 0.99 THEN 'failed'
        ELSE 'cancelled'
    END)::app.task_status,
    1 + floor(10 * r.priority_draw)::smallint,
    'Goal ' || n || ': ' || md5(n::text),
    floor(3 * r.arm_draw)::integer,
    now() - (300000 - n) * interval '10 seconds',
    now() - (300000 - n) * interval '10 seconds' + interval '1 minute',
    CASE WHEN n <= 298500 THEN now() - (300000 - n) * interval '10 seconds' + interval '5 minutes' END
FROM
    generate_series(1, 300000) AS n,
    LATERAL (
        SELECT random() AS owner_draw, random() AS arm_draw, random() AS status_draw, random() AS priority_draw
        WHERE n > 0
    ) AS r;

INSERT INTO app.entities (entity_type, name, email, properties, description, created_at)
SELECT
    (ARRAY ['person', 'person', 'person', 'person', 'tool', 'tool', 'document', 'host'])[1 + floor(8 * r.type_draw)::integer],
    'Entity ' || n,
    CASE WHEN r.type_draw < 0.5 THEN 'User.' || n || '@Example.' || (ARRAY ['com', 'org', 'net'])[1 + n % 3] END,
    jsonb_build_object(
        'region', (ARRAY ['eu', 'us', 'ap', 'sa'])[1 + floor(4 * r.region_draw)::integer],
        'tier', 1 + floor(5 * r.tier_draw)::integer,
        'serial', n % 5000
    ),
    w.words[1 + floor(40 * r.word_a)::integer] || ' ' || w.words[1 + floor(40 * r.word_b)::integer] || ' '
    || w.words[1 + floor(40 * r.word_c)::integer] || ' topic' || (n % 4000),
    now() - (150000 - n) * interval '20 seconds'
FROM
    generate_series(1, 150000) AS n,
    LATERAL (
        SELECT
            random() AS type_draw, random() AS region_draw, random() AS tier_draw,
            random() AS word_a, random() AS word_b, random() AS word_c
        WHERE n > 0
    ) AS r,
    (
        SELECT ARRAY [
            'planner', 'memory', 'search', 'vector', 'graph', 'kernel', 'index', 'budget', 'secret', 'policy',
            'stream', 'worker', 'router', 'bridge', 'signal', 'anchor', 'buffer', 'cursor', 'ledger', 'mirror',
            'beacon', 'cipher', 'docker', 'engine', 'filter', 'garden', 'harbor', 'island', 'jacket', 'ladder',
            'magnet', 'needle', 'orbit', 'pepper', 'quartz', 'rocket', 'saddle', 'tunnel', 'velvet', 'wander'
        ] AS words
    ) AS w;

INSERT INTO app.relationships (from_entity_id, to_entity_id, relationship_type, weight, created_at)
SELECT
    1 + floor(150000 * r.from_draw)::bigint,
    1 + floor(150000 * r.to_draw ^ 2)::bigint,
    (ARRAY ['knows', 'uses', 'owns', 'mentions', 'depends_on'])[1 + floor(5 * r.type_draw)::integer],
    r.type_draw,
    now() - (700000 - n) * interval '4 seconds'
FROM
    generate_series(1, 700000) AS n,
    LATERAL (SELECT random() AS from_draw, random() AS to_draw, random() AS type_draw WHERE n > 0) AS r;

INSERT INTO app.action_log (task_id, arm_id, action, succeeded, duration_ms, created_at)
SELECT
    1 + n / 5,
    1 + n % 12,
    (ARRAY ['plan', 'search', 'call', 'store', 'judge', 'retry'])[1 + floor(6 * r.action_draw)::integer],
    r.action_draw < 0.97,
    floor(2000 * r.duration_draw ^ 3)::integer,
    now() - (1500000 - n) * interval '2 seconds'
FROM
    generate_series(1, 1500000) AS n,
    LATERAL (SELECT random() AS action_draw, random() AS duration_draw WHERE n > 0) AS r;

ALTER TABLE app.tasks ADD PRIMARY KEY (id);
ALTER TABLE app.tasks ADD FOREIGN KEY (arm_id) REFERENCES app.arms (id);
ALTER TABLE app.entities ADD PRIMARY KEY (id);
ALTER TABLE app.relationships ADD PRIMARY KEY (id);
ALTER TABLE app.action_log ADD PRIMARY KEY (id);
CREATE INDEX relationships_from_entity_id_idx ON app.relationships (from_entity_id);
-- Somebody's migration ran twice under another name.
CREATE INDEX idx_relationships_from ON app.relationships (from_entity_id);
