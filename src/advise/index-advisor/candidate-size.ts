/** The size of an index that is not there, with all that the snapshot and the engine know of its keys. */
import {
  type ColumnRow,
  type IndexDefinition,
  type IndexSize,
  quoteQualified,
  type Snapshot,
  type WhatIf,
} from '../../domain/index.ts';
import type { Candidate, Condition } from './candidates/candidate.ts';
import { shareOfConditions } from './candidates/compared-columns.ts';
import { type AdvisorCatalog, type AdvisorTable, rowCount } from './catalog.ts';
import { ginBuildOn } from './gin-build.ts';
import { BLOCK_BYTES, bytesOf, generatorOf, indexSize, type SizeInput } from './size-model.ts';
import { GIN_ERROR, rangeOf } from './size-range.ts';

/**
 * DEFAULT_INEQ_SEL of selfuncs.h: what the planner says of two columns of a row that are compared, whatever is in them.
 * It does no harm to plans, but a budget would be spent twice.
 */
const PLANNER_GUESS = 1 / 3;

/** Single sizes are off by so much where statistics leave nothing open, in both directions: it is not reserved. */
const SIZE_ERROR = 0.05;

/** A size, and what of a budget of real bytes it is given. */
export interface Sized {
  size: IndexSize;
  reserved_bytes: number;
  /** What is derived of the expressions that the size rests on. */
  expressions: ReadonlyMap<string, ColumnRow>;
}

/** A size between the likely one and the largest that is said to be possible: of several some turn out larger, some smaller. */
const HALF_WAY = 0.5;
const HALF_WAY_METHODS: ReadonlySet<string> = new Set(['gist', 'spgist']);

type SizedCandidate = Pick<Candidate, 'definition' | 'table' | 'selectivity' | 'conditions'>;

/** Sizes candidates of one run; what the engine says of an expression is asked once. */
export class CandidateSizes {
  readonly #catalog: AdvisorCatalog;
  readonly #statistics: Snapshot['schema']['extended_statistics'];
  readonly #snapshot: Snapshot;
  readonly #whatIf: WhatIf | null;
  readonly #expressions = new Map<string, ColumnRow | null>();
  /** Rows that the planner expects of a table, whole or under a predicate. */
  readonly #rows = new Map<string, number | null>();

  /** @param whatIf null: expressions are guessed from the columns that they read. */
  constructor(catalog: AdvisorCatalog, snapshot: Snapshot, whatIf: WhatIf | null) {
    this.#catalog = catalog;
    this.#snapshot = snapshot;
    this.#statistics = snapshot.schema.extended_statistics;
    this.#whatIf = whatIf;
  }

  /**
   * @param selectivity share of the rows that a partial predicate keeps.
   * @throws PgLuthierError `index_size_invalid`: the model gave no number, which is a defect of ours.
   */
  async sizeOf(definition: IndexDefinition, table: AdvisorTable, selectivity: number): Promise<IndexSize> {
    return indexSize(await this.#inputOf({ definition, table, selectivity, conditions: [] }));
  }

  /** The same of a candidate, with what a budget has to reserve for it, where there is one. */
  async sizeInBudget(candidate: SizedCandidate, budget: number | null): Promise<Sized> {
    const input = await this.#inputOf(candidate);
    const size = indexSize(input);
    const { expressions = new Map() } = input;
    const likely = bytesOf(size);
    const sized = { size, expressions };
    const { definition } = candidate;
    if (budget === null) return { ...sized, reserved_bytes: likely };
    if (HALF_WAY_METHODS.has(definition.method)) {
      const { most } = rangeOf({ ...candidate, expressions, statistics: this.#statistics });
      const pages = Math.ceil(size.pages * (1 + HALF_WAY * (most - 1)));
      return { ...sized, reserved_bytes: pages * BLOCK_BYTES };
    }
    if (definition.method !== 'btree' && definition.method !== 'gin')
      return { ...sized, reserved_bytes: likely };
    const reserved = bytesOf(indexSize({ ...input, bound: 'reserved' }));
    if (definition.method === 'gin') {
      const pages = Math.max(likely, reserved) / BLOCK_BYTES;
      return {
        ...sized,
        reserved_bytes: Math.ceil(pages * (1 + HALF_WAY * (GIN_ERROR.most - 1))) * BLOCK_BYTES,
      };
    }
    return { ...sized, reserved_bytes: reserved > (1 + SIZE_ERROR) * likely ? reserved : likely };
  }

  async #inputOf({ definition, table, selectivity, conditions }: SizedCandidate): Promise<SizeInput> {
    const expressions = new Map<string, ColumnRow>();
    for (const { column, expression: own } of definition.keys) {
      const expression = own ?? generatorOf(table.columns.get(column ?? ''));
      if (expression === null) continue;
      const described = await this.#describe(definition, expression);
      if (described) expressions.set(expression, described);
    }
    return {
      definition,
      table,
      selectivity,
      conditions,
      expressions,
      statistics: this.#statistics,
      gin_build: ginBuildOn(this.#snapshot, table.row.main_pages),
      major: this.#catalog.major,
      partitions: leaves(this.#catalog, table),
    };
  }

  /** Whether a size that was asked for rests on an expression that the engine could not describe. */
  isGuess({ schema, table, keys }: IndexDefinition): boolean {
    return keys.some(
      ({ expression }) =>
        expression !== null && !this.#expressions.get(JSON.stringify([schema, table, expression])),
    );
  }

  /**
   * Share of the rows that a partial index keeps, as the planner estimates its conditions; what it has only a fixed
   * guess of, by the candidate's own, as if the conditions had nothing to do with each other. Null where it cannot tell.
   */
  async shareOf({
    definition,
    table,
    conditions,
  }: Pick<Candidate, 'definition' | 'table' | 'conditions'>): Promise<number | null> {
    const { schema, table: bare, where } = definition;
    if (where === null || this.#whatIf === null) return null;
    const name = quoteQualified(schema, bare);
    const all = plannedRows(table) ?? (await this.#rowsOf(`SELECT 1 FROM ${name}`));
    const kept = await this.#rowsOf(`SELECT 1 FROM ${name} WHERE ${where}`);
    if (all === null || kept === null || all <= 0) return null;
    const shares: Pick<Condition, 'share' | 'compares'>[] = [];
    for (const condition of conditions) {
      const rows = condition.compares
        ? null
        : await this.#rowsOf(`SELECT 1 FROM ${name} WHERE ${condition.sql}`);
      const share = rows === null ? condition.share : Math.min(1, rows / all);
      const isGuess = Math.abs(share - PLANNER_GUESS) * all < 1;
      shares.push(isGuess ? condition : { ...condition, share });
    }
    const isKnown = shares.every((share, position) => !share.compares && share !== conditions[position]);
    return isKnown ? Math.min(1, kept / all) : shareOfConditions(shares);
  }

  async #rowsOf(sql: string): Promise<number | null> {
    const known = this.#rows.get(sql);
    if (known !== undefined) return known;
    const statement = { id: sql, query_id: sql, sql, weight: 1 };
    const [answer] = (await this.#whatIf?.costs({ created: [], hidden: [] }, [statement])) ?? [];
    const rows = answer?.rows ?? null;
    this.#rows.set(sql, rows);
    return rows;
  }

  async #describe({ schema, table }: IndexDefinition, expression: string): Promise<ColumnRow | null> {
    const key = JSON.stringify([schema, table, expression]);
    const known = this.#expressions.get(key);
    if (known !== undefined) return known;
    const described = (await this.#whatIf?.describeExpression?.(schema, table, expression)) ?? null;
    this.#expressions.set(key, described);
    return described;
  }
}

/**
 * Rows that the planner expects of the whole table, where that follows from the snapshot (estimate_rel_size() of plancat.c);
 * null: only the planner can tell. Tables that are read with others are not alone in a plan, of one that was never
 * vacuumed the planner guesses, and under row-level security it expects fewer.
 */
function plannedRows(table: AdvisorTable): number | null {
  const { relkind, row_security, relpages, reltuples } = table.row;
  const isAlone = relkind === 'r' && (table.heirs ?? []).length === 0;
  if (!isAlone || row_security || relpages <= 0 || reltuples <= 0) return null;
  return Math.max(1, Math.round(rowCount(table)));
}

/** Leaf partitions of a partitioned table. */
function leaves(catalog: AdvisorCatalog, table: AdvisorTable): AdvisorTable[] {
  if (table.row.relkind !== 'p') return [];
  const children = [...catalog.tables.values()].filter((each) => each.row.parent_oid === table.row.oid);
  return children.flatMap((child) => (child.row.relkind === 'p' ? leaves(catalog, child) : [child]));
}
