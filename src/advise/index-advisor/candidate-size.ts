/** The size of an index that is not there, with all that the snapshot and the engine know of its keys. */
import type { ColumnRow, IndexDefinition, IndexSize, Snapshot, WhatIf } from '../../domain/index.ts';
import type { AdvisorCatalog, AdvisorTable } from './catalog.ts';
import { indexSize } from './size-model.ts';

/** Sizes candidates of one run; what the engine says of an expression is asked once. */
export class CandidateSizes {
  readonly #catalog: AdvisorCatalog;
  readonly #statistics: Snapshot['schema']['extended_statistics'];
  readonly #whatIf: WhatIf | null;
  readonly #expressions = new Map<string, ColumnRow | null>();

  /** @param whatIf null: expressions are guessed from the columns that they read. */
  constructor(catalog: AdvisorCatalog, snapshot: Snapshot, whatIf: WhatIf | null) {
    this.#catalog = catalog;
    this.#statistics = snapshot.schema.extended_statistics;
    this.#whatIf = whatIf;
  }

  /** @param selectivity share of the rows that a partial predicate keeps. */
  async sizeOf(definition: IndexDefinition, table: AdvisorTable, selectivity: number): Promise<IndexSize> {
    const expressions = new Map<string, ColumnRow>();
    for (const { expression } of definition.keys) {
      if (expression === null) continue;
      const described = await this.#describe(definition, expression);
      if (described) expressions.set(expression, described);
    }
    const partitions = leaves(this.#catalog, table);
    return indexSize({
      definition,
      table,
      selectivity,
      expressions,
      statistics: this.#statistics,
      partitions,
    });
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

/** Leaf partitions of a partitioned table. */
function leaves(catalog: AdvisorCatalog, table: AdvisorTable): AdvisorTable[] {
  if (table.row.relkind !== 'p') return [];
  const children = [...catalog.tables.values()].filter((each) => each.row.parent_oid === table.row.oid);
  return children.flatMap((child) => (child.row.relkind === 'p' ? leaves(catalog, child) : [child]));
}
