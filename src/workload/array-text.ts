/** PostgreSQL's text form of arrays (array_out, array_in), as pg_stats gives its lists of values. */

/** An element: text as the element type prints it, SQL's NULL, or a sub-array. */
export type ArrayElement = string | null | ArrayElement[];

class ArrayTextReader {
  private readonly text: string;
  private readonly delimiter: string;
  private position = 0;

  constructor(text: string, delimiter: string) {
    this.text = text;
    this.delimiter = delimiter;
  }

  private fail(expected: string): never {
    throw new Error(`malformed array text at ${this.position}: expected ${expected}`);
  }

  /** The whole text, behind the bounds that an array with other lower bounds than 1 begins with: `[0:1]={…}`. */
  whole(): ArrayElement[] {
    if (this.text.startsWith('[')) this.position = this.text.indexOf('=') + 1;
    const array = this.array();
    if (this.position !== this.text.length) this.fail('the end');
    return array;
  }

  private array(): ArrayElement[] {
    if (this.text[this.position] !== '{') this.fail('{');
    this.position++;
    const elements: ArrayElement[] = [];
    if (this.text[this.position] === '}') {
      this.position++;
      return elements;
    }
    for (;;) {
      elements.push(this.element());
      const next = this.text[this.position];
      this.position++;
      if (next === '}') return elements;
      if (next !== this.delimiter) this.fail(`${this.delimiter} or }`);
    }
  }

  private element(): ArrayElement {
    const first = this.text[this.position];
    if (first === '{') return this.array();
    if (first === '"') return this.quoted();
    const start = this.position;
    let value = '';
    let escaped = false;
    while (this.position < this.text.length) {
      const character = this.text[this.position];
      if (character === this.delimiter || character === '}') break;
      if (character === '\\') {
        escaped = true;
        this.position++;
      }
      value += this.text[this.position] ?? '';
      this.position++;
    }
    if (start === this.position) this.fail('an element');
    return !escaped && value.toUpperCase() === 'NULL' ? null : value;
  }

  private quoted(): string {
    let value = '';
    this.position++;
    for (;;) {
      const character = this.text[this.position];
      if (character === undefined) this.fail('"');
      this.position++;
      if (character === '"') return value;
      if (character === '\\') {
        value += this.text[this.position] ?? '';
        this.position++;
      } else value += character;
    }
  }
}

/**
 * Reads an array's text form.
 * @param delimiter The element type's (pg_type.typdelim): a comma for all types but `box`.
 * @throws Error if the text is no array.
 */
export function parseArrayText(text: string, delimiter = ','): ArrayElement[] {
  return new ArrayTextReader(text, delimiter).whole();
}

/** The flat values of an array's text; NULLs left out, sub-arrays as their text. */
export function arrayValues(text: string | null, delimiter = ','): string[] {
  if (text === null) return [];
  return parseArrayText(text, delimiter).flatMap((element) => {
    if (element === null) return [];
    return [Array.isArray(element) ? formatArrayText(element, delimiter) : element];
  });
}

/** The text form of an array, every element quoted: array_in takes it for any type. */
export function formatArrayText(elements: readonly ArrayElement[], delimiter = ','): string {
  const parts = elements.map((element) => {
    if (element === null) return 'NULL';
    if (Array.isArray(element)) return formatArrayText(element, delimiter);
    return `"${element.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  });
  return `{${parts.join(delimiter)}}`;
}
