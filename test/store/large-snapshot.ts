/** Snapshots of one imaginary busy database, one after the other, as a collector would take them. */
import type { ColumnRow, IndexRow, Snapshot, StatementRow, TableRow } from '../../src/domain/index.ts';
import * as rows from '../support/rows.ts';
import { hostileSnapshot } from './fixtures.ts';

/** Mulberry32: the same numbers in every run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const names = [
  'tasks',
  'Größe "x"',
  "o'brien",
  'back\\slash',
  '漢字🐘',
  'new\nline',
  '%s $1 {}',
  'e\u0301\u200f',
];

export interface Scale {
  statements: number;
  tables: number;
  /** Shares of the rows that move between two snapshots. */
  active: number;
  /** Default 2. */
  indexesPerTable?: number;
}

export class ImaginaryDatabase {
  readonly #random: () => number;
  readonly #scale: Scale;
  readonly #statements: StatementRow[];
  readonly #tables: TableRow[];
  readonly #indexes: IndexRow[];
  readonly #columns: ColumnRow[];
  #minutes = 0;

  constructor(scale: Scale, seed = 1) {
    this.#random = randomNumbers(seed);
    this.#scale = scale;
    const [template] = hostileSnapshot('', 1).statements;
    if (!template) throw new Error('the fixture has no statement');
    const pick = () => names[Math.floor(this.#random() * names.length)] ?? '';
    this.#statements = Array.from({ length: scale.statements }, (_, index) => ({
      ...template,
      shared_blks_hit: 1000,
      calls: 1000,
      total_exec_time_ms: 1500,
      queryid: String(BigInt(Math.floor(this.#random() * 2 ** 53)) * 1024n - 4_611_686_018_427_387_904n),
      query: `SELECT ${'"column name", '.repeat(Math.floor(this.#random() * 12))}count(*) FROM t${index} WHERE a = $1 /* ${pick()} */`,
    }));
    this.#tables = Array.from({ length: scale.tables }, (_, index) =>
      tableRow(16_384 + index, `${pick()} ${index}`),
    );
    this.#indexes = this.#tables.flatMap((table) =>
      Array.from({ length: scale.indexesPerTable ?? 2 }, (_, number) => indexRow(table, number)),
    );
    this.#columns = this.#tables.flatMap((table) =>
      Array.from({ length: 8 }, (_, number) => columnRow(table, number + 1, pick(), this.#random)),
    );
  }

  /** What is there now. */
  snapshot(takenAt: string): Snapshot {
    return structuredClone({
      ...hostileSnapshot(takenAt, 1),
      server: { ...hostileSnapshot('', 1).server, database_size_bytes: 10 ** 10 + this.#minutes * 8192 },
      statements: this.#statements,
      tables: this.#tables,
      indexes: this.#indexes,
      columns: this.#columns,
      settings: Array.from({ length: 380 }, (_, index) => ({
        name: `setting_${index}`,
        setting: String(index * 8),
        unit: index % 3 === 0 ? '8kB' : null,
        category: 'Resource Usage / Memory',
        context: 'user',
        vartype: 'integer',
        source: 'default',
        min_val: '1',
        max_val: '2147483647',
        enumvals: index % 50 === 0 ? ['on', 'off'] : null,
        boot_val: '1',
        reset_val: '1',
        sourcefile: null,
        pending_restart: false,
      })),
    });
  }

  /** A minute of work: some statements run, some tables are written to, one is analysed, all grow older. */
  work(): void {
    this.#minutes += 1;
    for (const row of this.#statements) {
      if (this.#random() > this.#scale.active) continue;
      const calls = 1 + Math.floor(this.#random() * 500);
      row.calls += calls;
      row.rows += calls * 3;
      row.total_exec_time_ms += calls * this.#random() * 7;
      row.mean_exec_time_ms = row.total_exec_time_ms / row.calls;
      row.stddev_exec_time_ms = this.#random() * 3;
      row.shared_blks_read += Math.floor(this.#random() * 9);
      row.wal_bytes += calls * 97;
    }
    for (const row of this.#tables) {
      row.xid_age = (row.xid_age ?? 0) + 5000;
      if (this.#random() > this.#scale.active) continue;
      row.n_tup_upd += Math.floor(this.#random() * 900);
      row.idx_scan = (row.idx_scan ?? 0) + Math.floor(this.#random() * 9000);
      row.main_pages += Math.floor(this.#random() * 2);
    }
    for (const row of this.#indexes) {
      if (this.#random() > this.#scale.active) continue;
      row.idx_scan += Math.floor(this.#random() * 9000);
      row.idx_tup_read += Math.floor(this.#random() * 90_000);
      row.last_idx_scan = new Date(1.79e12 + this.#minutes * 60_000 + this.#random() * 60_000).toISOString();
    }
    const analysed = this.#tables[Math.floor(this.#random() * this.#tables.length)];
    if (!analysed) return;
    analysed.autoanalyze_count += 1;
    for (const column of this.#columns) {
      if (column.table_oid === analysed.oid && column.stats) column.stats.n_distinct = -this.#random();
    }
  }

  /** A minute in which calls are spread as by Zipf's law: the first statements run often, the last hardly ever. */
  workZipf(callsAMinute: number): void {
    this.#minutes += 1;
    const now = () => new Date(1.79e12 + this.#minutes * 60_000 + this.#random() * 60_000).toISOString();
    const share = callsAMinute / Math.log(this.#statements.length);
    this.#statements.forEach((row, index) => {
      const mean = share / (index + 1);
      const calls = Math.floor(mean + this.#random());
      if (calls === 0) return;
      const [n, sum] = [row.calls, row.total_exec_time_ms];
      const usual = 0.05 * (1 + (index % 97));
      const m2 = row.calls * row.stddev_exec_time_ms ** 2;
      const added = calls * usual * (0.8 + 0.4 * this.#random());
      const gap = added / calls - sum / n;
      row.calls += calls;
      row.total_exec_time_ms += added;
      row.mean_exec_time_ms = row.total_exec_time_ms / row.calls;
      const spread = calls === 1 ? 0 : calls * (usual * (0.2 + this.#random())) ** 2;
      row.stddev_exec_time_ms = Math.sqrt((m2 + spread + (gap * gap * n * calls) / row.calls) / row.calls);
      row.rows += index % 3 === 0 ? calls : Math.floor(calls * 10 * this.#random());
      row.shared_blks_hit += Math.floor(calls * (4 + 3 * this.#random()));
      if (index % 4 === 0) row.shared_blks_read += Math.floor(calls * this.#random());
      if (index % 5 === 0) {
        row.shared_blks_dirtied += Math.floor(calls * this.#random());
        row.wal_records += calls;
        row.wal_bytes += calls * (60 + Math.floor(80 * this.#random()));
      }
    });
    this.#tables.forEach((row, index) => {
      const scans = Math.floor(callsAMinute / 8 / (index + 1) + this.#random());
      if (scans === 0) return;
      row.idx_scan = (row.idx_scan ?? 0) + scans;
      row.idx_tup_fetch = (row.idx_tup_fetch ?? 0) + Math.floor(scans * 3 * this.#random());
      row.last_idx_scan = now();
      if (index % 3 > 0) return;
      row.n_tup_upd += scans;
      row.n_tup_hot_upd += Math.floor(scans * this.#random());
      row.n_dead_tup += scans;
      row.n_mod_since_analyze += scans;
    });
    this.#indexes.forEach((row, index) => {
      const scans = Math.floor(callsAMinute / 10 / (index + 1) + this.#random() * 0.6);
      if (scans === 0) return;
      row.idx_scan += scans;
      row.idx_tup_read += Math.floor(scans * 4 * this.#random());
      row.idx_tup_fetch += Math.floor(scans * 3 * this.#random());
      row.last_idx_scan = now();
    });
  }

  /** The server forgets some statements and learns others; a table goes, with a gap in the order. */
  churn(): void {
    this.#statements.splice(2, 3);
    const last = this.#statements.at(-1);
    if (last) this.#statements.splice(1, 0, { ...last, queryid: `new ${this.#minutes}` });
    this.#statements.reverse();
    this.#tables.splice(1, 1);
  }
}

function tableRow(oid: number, name: string): TableRow {
  return rows.tableRow({
    oid,
    name,
    relpages: 100,
    relallvisible: 90,
    main_pages: 100,
    total_bytes: 819_200,
    indexes_bytes: 8192,
    reloptions: oid % 2 ? { fillfactor: '90' } : {},
    seq_scan: 1,
    seq_tup_read: 1,
    idx_scan: oid % 5 ? 0 : null,
    n_tup_ins: 0,
    n_tup_newpage_upd: null,
    n_live_tup: 1,
    last_autovacuum: '2026-11-20T10:00:00.123456Z',
    last_autoanalyze: null,
    autovacuum_count: 0,
    autoanalyze_count: 0,
    xid_age: 1_000_000,
  });
}

function indexRow(table: TableRow, number: number): IndexRow {
  const name = `${table.name} idx${number}`;
  return rows.indexRow({
    oid: table.oid * 10 + number,
    table_oid: table.oid,
    table: table.name,
    name,
    definition: `CREATE INDEX "${name}" ON public."${table.name}" USING btree (a${number})`,
    keys: [`a${number}`],
    key_attnums: [number + 1],
    opclasses: ['pg_catalog.int8_ops'],
    relpages: 10,
    main_pages: 10,
    size_bytes: 81_920,
  });
}

function columnRow(table: TableRow, attnum: number, word: string, random: () => number): ColumnRow {
  return rows.columnRow({
    table_oid: table.oid,
    table: table.name,
    name: `${word} ${attnum}`,
    attnum,
    type: 'text',
    typlen: -1,
    typalign: 'i',
    typcategory: 'S',
    not_null: false,
    stats: rows.columnStats({
      avg_width: 12,
      n_distinct: -random(),
      most_common_vals: `{${word},"a \\"b\\" ${random()}"}`,
      most_common_freqs: [random(), random()],
      histogram_bounds: `{${Array.from({ length: 20 }, () => Math.floor(random() * 1e6)).join(',')}}`,
      correlation: random(),
    }),
  });
}
