import pg from 'pg';
import { expect, test } from 'vitest';
import {
  groupRejections,
  type PlanTree,
  type RecommendationDraft,
  type Report,
  reportSchema,
} from '../../src/domain/index.ts';
import { finaliseDrafts } from '../../src/pipeline/finalise.ts';
import {
  renderDiagnosis,
  renderPlan,
  renderReport,
  renderReportMarkdown,
  renderReportSql,
} from '../../src/report/index.ts';
import { testServer } from '../support/servers.ts';

const LONG = Array.from({ length: 30 }, (_, position) => `column_number_${position}`);

function draft(parts: Partial<RecommendationDraft>): RecommendationDraft {
  return {
    rule: 'index/missing',
    change: { kind: 'finding' },
    key: 'k',
    title: 'A title',
    rationale: 'Because it is so, and has been for a while.',
    severity: 'medium',
    evidence_level: 'measured',
    confidence: 0.8,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [
      {
        name: 'size',
        value: 1024 ** 2,
        unit: 'bytes',
        source: 'pg_relation_size',
        level: 'measured',
        formula: null,
      },
    ],
    risk: { locks: 'none', restart: false, reload: false, notes: [] },
    ...parts,
  };
}

function reportOf(drafts: RecommendationDraft[], parts: Partial<Report> = {}): Report {
  return reportSchema.parse({
    ...groupRejections(parts.rejections ?? []),
    target: {
      id: null,
      name: 'shop',
      database: 'shop',
      server_version: '18.1',
      server_version_num: 180001,
      managed_service: null,
    },
    window: { from: '2026-03-01T00:00:00Z', to: '2026-03-01T01:00:00Z', seconds: 3600, source: 'window' },
    summary: {
      generated_at: '2026-03-01T01:00:01Z',
      statements_seen: 12,
      statements_analysed: 10,
      database_time_ms: 90_000,
      analysed_share_of_time: 0.98,
      cost_before: 1000,
      cost_after: 250,
      what_if: { engine: 'twin', server_version: '18.1', questions: 321 },
      recommendations_by_kind: {},
    },
    recommendations: finaliseDrafts('t', drafts),
    rejections: [],
    limits: [],
    ...parts,
  });
}

const index = draft({
  key: 'wide',
  title: 'Index for the newest orders',
  severity: 'high',
  change: {
    kind: 'index.create',
    index: {
      schema: 'public',
      table: 'orders',
      name: 'orders_wide',
      method: 'btree',
      unique: false,
      keys: LONG.map((column) => ({
        column,
        expression: null,
        opclass: null,
        collation: null,
        direction: 'asc' as const,
        nulls: null,
      })),
      include: [],
      where: null,
      options: {},
    },
  },
  estimate: { cost_before: 1000, cost_after: 250, size_bytes: 5 * 1024 ** 2, write_overhead: 3 },
  affects: Array.from({ length: 6 }, (_, position) => ({
    query_id: `q${position}`,
    query: `SELECT ${LONG.join(', ')}\n  FROM orders WHERE id = $1`,
    calls: 1000 + position,
    share_of_time: 0.1,
    cost_before: 123_456_789,
    cost_after: 4.5,
  })),
});
const setting = draft({
  key: 'setting',
  rule: 'settings/shared-buffers',
  title: 'shared_buffers: 128MB → 4GB',
  change: {
    kind: 'setting',
    name: 'shared_buffers',
    value: '4GB',
    current_value: '128MB',
    context: 'postmaster',
  },
  risk: {
    locks: 'none',
    restart: true,
    reload: false,
    notes: ['It comes into force with the next restart.'],
  },
});
const finding = draft({
  key: 'finding',
  title: 'fsync is off',
  severity: 'critical',
  rule: 'health/fsync-off',
});

const rejections = Array.from({ length: 7 }, (_, position) => ({
  rule: 'index/missing',
  candidate: `index ${position}`,
  code: 'no_gain',
  reason: 'nothing would use it',
}));

// biome-ignore lint/suspicious/noControlCharactersInRegex: ANSI escapes are what is looked for.
const ESCAPE = /\x1b/;

test('a person reads: what first, why, the whole SQL, the way back, evidence, rejections, limits', () => {
  const limit = {
    scope: 'host',
    code: 'host_unknown',
    message: 'The memory is not known.',
    remedy: 'Give --ram.',
  };
  const text = renderReport(reportOf([setting, index, finding], { rejections, limits: [limit] }), {
    color: false,
    width: 100,
  });
  expect(text).not.toMatch(ESCAPE);
  expect(text.endsWith('\n')).toBe(true);
  const order = [
    'PgLuthier report on shop',
    'window 2026-03-01T00:00:00Z to 2026-03-01T01:00:00Z (3,600 s)',
    '10 of 12 statements analysed, 98.0 % of 1.5 min database time',
    'simulated by a twin on PostgreSQL 18.1: 321 plans',
    '75.0 % less',
    '3 recommendation(s)',
    '1. [critical] fsync is off',
    '2. [high] Index for the newest orders',
    'plan cost 1,000 → 250, disk +5.0 MB',
    `(${LONG.join(', ')});`,
    'way back',
    'DROP INDEX CONCURRENTLY',
    '… and 2 more statements',
    'size: 1.0 MB (measured; pg_relation_size)',
    '3. [medium] shared_buffers: 128MB → 4GB',
    'wants a restart',
    "ALTER SYSTEM SET shared_buffers = '4GB'",
    'It comes into force with the next restart.',
    'Considered and not recommended',
    'no statement gets noticeably cheaper with it (7)',
    '… and 4 more',
    'host: The memory is not known. Give --ram.',
  ];
  let from = 0;
  for (const words of order) {
    const at = text.indexOf(words, from);
    expect(at, `${words}\nafter ${from} in\n${text}`).toBeGreaterThanOrEqual(0);
    from = at;
  }
});

test.each([80, 100, 140])('everything but SQL keeps to %i columns', (width) => {
  const text = renderReport(reportOf([setting, index, finding], { rejections }), { color: false, width });
  const tooLong = text.split('\n').filter((line) => line.length > width && !line.startsWith('     '));
  expect(tooLong).toEqual([]);
});

test('color only where it is asked for, and it is all that differs', () => {
  const report = reportOf([setting, index], { rejections });
  const colored = renderReport(report, { color: true, width: 100 });
  expect(colored).toMatch(ESCAPE);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the same.
  expect(colored.replace(/\x1b\[\d+m/g, '')).toBe(renderReport(report, { color: false, width: 100 }));
});

test('nothing to recommend is said', () => {
  const text = renderReport(reportOf([], { rejections }), { color: false, width: 100 });
  expect(text).toContain('Nothing to recommend');
  expect(text).toContain('noticeably cheaper with it (7)');
});

const tree = (parts: Partial<PlanTree>): PlanTree => ({
  node_type: 'Seq Scan',
  relation: 'orders',
  startup_cost: 0,
  total_cost: 123.45,
  rows: 7,
  width: 8,
  details: [{ name: 'Filter', text: "(status = 'a```|b\x1b[2J'::text)" }],
  children: [],
  ...parts,
});
const changes = [
  {
    kind: 'access' as const,
    subject: 'orders',
    before: 'Seq Scan',
    after: 'Index Scan using i',
    text: 'orders: Seq Scan → Index Scan using i',
  },
  {
    kind: 'sort' as const,
    subject: 'sort by a',
    before: 'Sort',
    after: null,
    text: 'sort by "a | <b>": Sort gone',
  },
];
const planned = draft({
  ...index,
  affects: index.affects.map((affected, position) => ({
    ...affected,
    query: 'SELECT a || b FROM orders',
    ...(position === 0
      ? {
          plan_change: {
            before: tree({}),
            after: tree({ node_type: 'Index Scan', index: 'i', schema: 'public' }),
            changes,
          },
        }
      : {}),
  })),
});

test('plans: what changes in a line or two, the trees folded in Markdown', () => {
  const text = renderReport(reportOf([planned]), { color: false, width: 100 });
  expect(text).toContain(
    '   - SELECT a || b FROM orders: orders: Seq Scan → Index Scan using i; sort by "a | <b>": Sort',
  );
  expect(text.split('\n').filter((line) => line.length > 100 && !line.startsWith('     '))).toEqual([]);
  expect(text.split('Seq Scan').length).toBe(2);
  const markdown = renderReportMarkdown(reportOf([planned]));
  const lines = markdown.split('\n');
  expect(lines).toContain('Plan of `SELECT a || b FROM orders`:');
  expect(lines).toContain('- orders: Seq Scan → Index Scan using i');
  expect(lines).toContain('- sort by "a \\| \\<b\\>": Sort gone');
  expect(lines).toContain('Seq Scan on orders  (cost=0.00..123.45 rows=7 width=8)');
  expect(lines).toContain('Index Scan using i on public.orders  (cost=0.00..123.45 rows=7 width=8)');
  expect(markdown).not.toMatch(ESCAPE);
  // A constant's backticks do not end the block.
  expect(lines.filter((line) => line === '````')).toHaveLength(4);
  expect(markdown.split('<details>').length).toBe(2);
});

const many = Array.from({ length: 400 }, (_, position) => tree({ relation: `t${position}` }));

test('plans are cut to what is read, with a count', () => {
  const lines = renderPlan(tree({ node_type: 'Append', details: [], children: many }), { lines: 10 });
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toBe('… and 792 more lines');
  const long = tree({ details: [{ name: 'Filter', text: 'x'.repeat(1000) }] });
  expect(renderPlan(long, { line_length: 20 })[1]).toBe(
    `  Filter: ${'x'.repeat(20)} … (980 more characters)`,
  );
});

const evil = draft({
  key: 'evil',
  title: 'Drop \x1b[2Jevil\rDROP TABLE victim;\nDROP TABLE victim; ``` | <script>',
  rationale: 'Names may hold\rDROP TABLE victim;',
  change: {
    kind: 'analyze',
    schema: 'public',
    table: 'odd\r\nDROP TABLE victim; --"`|',
  },
  risk: { locks: 'none', restart: false, reload: false, notes: ['\rDROP TABLE victim;'] },
});

test('names cannot forge lines, move the cursor or become markup', () => {
  const text = renderReport(reportOf([evil]), { color: false, width: 100 });
  expect(text).not.toMatch(ESCAPE);
  expect(text).not.toContain('\r');
  expect(text).toContain('\\x1b[2Jevil');
  const markdown = renderReportMarkdown(
    reportOf([evil], { rejections: [{ ...rejections[0], candidate: 'a|b`c' } as never] }),
  );
  expect(markdown).not.toMatch(ESCAPE);
  expect(markdown).not.toMatch(/(?<!\\)<script/);
  expect(markdown).toContain('| ``a\\|b`c`` |');
});

test('the file of SQL runs as it stands, and nothing of a comment runs', async () => {
  const server = await testServer();
  const columns = LONG.map((column) => `${column} int`).join(', ');
  const database = await server.createDatabase({
    sql: `CREATE TABLE victim (a int); CREATE TABLE orders (${columns}); CREATE TABLE "odd\r\nDROP TABLE victim; --""\`|" (a int)`,
  });
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  try {
    const sql = renderReportSql(reportOf([index, evil, finding]));
    expect(sql).toContain('-- By hand: [critical] fsync is off');
    // One statement at a time, as psql sends them: CONCURRENTLY runs in no transaction.
    for (const statement of sql.split(/;\n/)) await client.query(statement);
    const { rows } = await client.query<{ name: string; valid: boolean }>(
      "SELECT c.relname AS name, i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE c.relname = 'orders_wide'",
    );
    expect(rows).toEqual([{ name: 'orders_wide', valid: true }]);
    expect((await client.query("SELECT to_regclass('victim') IS NOT NULL AS there")).rows).toEqual([
      { there: true },
    ]);
  } finally {
    await client.end();
    await database.drop();
  }
});

test('Markdown has the whole SQL in blocks, evidence and affected statements in tables', () => {
  const markdown = renderReportMarkdown(reportOf([index, setting], { rejections }));
  expect(markdown).toContain(`(${LONG.join(', ')});\n\`\`\``);
  expect(markdown).toContain('## 1. Index for the newest orders');
  expect(markdown).toContain('Way back:');
  for (const row of markdown.split('\n').filter((line) => line.startsWith('| size'))) {
    expect(row.split(/(?<!\\)\|/)).toHaveLength(7);
  }
});

test('the doctor: what is there, what is missing and its remedy, on lines of its own', () => {
  const check = { need: 'required' as const, remedy: null };
  const text = renderDiagnosis(
    {
      address: 'db.example:5432/shop',
      role: 'eve\x1b[2J\nok  everything is fine',
      server_version: '18.1',
      checks: [
        { ...check, id: 'a', title: 'connection', ok: true, detail: 'answers' },
        {
          ...check,
          id: 'b',
          title: 'statements',
          ok: false,
          detail: 'not created',
          remedy: 'CREATE EXTENSION pg_stat_statements;',
        },
        {
          id: 'c',
          title: 'ownership',
          ok: false,
          need: 'apply',
          detail: 'none',
          remedy: 'GRANT app TO eve;',
        },
        { id: 'd', title: 'host', ok: null, need: 'advised', detail: 'could not be told', remedy: null },
      ],
      limits: [],
    },
    { color: false, width: 100 },
  );
  expect(text).not.toMatch(ESCAPE);
  const lines = text.split('\n').map((line) => line.trim());
  expect(lines[0]).toMatch(
    /^db\.example:5432\/shop as eve\\x1b\[2J ok everything is fine, PostgreSQL 18\.1$/,
  );
  expect(lines.filter((line) => line.startsWith('ok'))).toEqual(['ok connection: answers']);
  expect(lines).toContain('!! statements: not created');
  expect(lines).toContain('-> CREATE EXTENSION pg_stat_statements;');
  expect(lines).toContain('- ownership (for applying only): none');
  expect(lines).toContain('? host: could not be told');
  expect(lines).toContain('2 thing(s) missing.');
});

test('the optimality gap and what was not analysed are said in text and Markdown', () => {
  const { summary } = reportOf([]);
  const report = reportOf([], {
    summary: {
      ...summary,
      cost_floor: 225,
      optimality_gap: 0.1,
      not_analysed: [
        { code: 'utility', reason: 'they are no queries', statements: 2, share_of_time: 0.02 },
        { code: 'no_sample', reason: 'no values', statements: 1, share_of_time: 0.003 },
      ],
    },
  });
  const line = (text: string) => text.replace(/\s+/g, ' ');
  for (const text of [
    line(renderReport(report, { color: false, width: 100 })),
    line(renderReportMarkdown(report)),
  ]) {
    expect(text).toContain('optimality gap: at most 10.0 % of the read cost that is left');
    expect(text).toContain('if disk, writes and a budget did not count');
    expect(text).toContain('2 statement(s) with 2.0 % of the database time: they are no queries');
    expect(text).toContain('1 statement(s) with 0.3 % of the database time: no values');
  }
  // Statements that were given were not timed: each counts by its calls.
  const given: Report = { ...report, window: { ...report.window, source: 'files' } };
  for (const text of [
    line(renderReport(given, { color: false, width: 100 })),
    line(renderReportMarkdown(given)),
  ]) {
    expect(text).toContain('10 of 12 statements analysed, 98.0 % of the calls');
    expect(text).toContain('2 statement(s) with 2.0 % of the calls: they are no queries');
    expect(text).not.toContain('database time');
  }
});
