/**
 * Room rule. bench/references/ holds index selection as the research published it, one algorithm a file, each against
 * the same evaluator of costs: what bench/index-references.ts sets the advisor against. src/ never imports it, and no
 * algorithm here knows a planner, a statement's text or a table's rows.
 */

/** A B-tree on plain columns: all that the published algorithms know of indexes. Equal ones are one object. */
export interface ColumnIndex {
  /** Order of first mention; the smaller goes first where nothing else decides. */
  readonly id: number;
  /** Table's name as the statements' columns have it. */
  readonly table: string;
  readonly columns: readonly string[];
}

/** Makes each index once, so that sets of them compare by identity. */
export class IndexPool {
  readonly #known = new Map<string, ColumnIndex>();

  of(table: string, columns: readonly string[]): ColumnIndex {
    const key = JSON.stringify([table, ...columns]);
    const known = this.#known.get(key);
    if (known) return known;
    const made = { id: this.#known.size, table, columns };
    this.#known.set(key, made);
    return made;
  }

  /** Leading parts, the longest first, without the index itself. */
  prefixes({ table, columns }: ColumnIndex): ColumnIndex[] {
    return columns
      .slice(1)
      .map((_, position) => this.of(table, columns.slice(0, position + 1)))
      .reverse();
  }

  /** The first's columns, then what the second has beside them (Bruno & Chaudhuri 2005, 3.1), at most `width`. */
  merged(first: ColumnIndex, second: ColumnIndex, width: number): ColumnIndex {
    const columns = [...new Set([...first.columns, ...second.columns])];
    return this.of(first.table, columns.slice(0, width));
  }

  /** The common columns and each one's residue, in the order of each (ibid.); null: nothing in common. */
  split(first: ColumnIndex, second: ColumnIndex): ColumnIndex[] | null {
    const common = first.columns.filter((column) => second.columns.includes(column));
    if (common.length === 0) return null;
    const rests = [first, second].map(({ columns }) => columns.filter((column) => !common.includes(column)));
    return [common, ...rests]
      .filter((columns) => columns.length > 0)
      .map((columns) => this.of(first.table, columns));
  }

  /** All orders of up to `width` of the columns. */
  permutations(table: string, columns: readonly string[], width: number): ColumnIndex[] {
    let longest: string[][] = [[]];
    const found: ColumnIndex[] = [];
    for (let length = 1; length <= width; length += 1) {
      longest = longest.flatMap((start) =>
        columns.filter((column) => !start.includes(column)).map((column) => [...start, column]),
      );
      for (const keys of longest) found.push(this.of(table, keys));
    }
    return found;
  }
}

/** Whether the second's columns lead the first's: the first does all that the second does. */
export const subsumes = (longer: ColumnIndex, shorter: ColumnIndex): boolean =>
  longer.table === shorter.table &&
  shorter.columns.every((column, position) => longer.columns[position] === column);
