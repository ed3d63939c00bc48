/** Codes that take the place of values: one dictionary per family of types, over the whole snapshot. */
import { orderedWithin, type Quantity, SignedRanks } from './ranks.ts';

/** Values that are compared with each other: of one family, and for texts of one collation. */
export interface Family {
  kind: 'number' | 'date' | 'timestamp' | 'text' | 'uuid';
  /** Values of one key share a dictionary. */
  key: string;
}

const DAY_US = 86_400_000_000n;
const NUMBER_TYPES = new Set(['smallint', 'integer', 'bigint', 'oid', 'numeric', 'real', 'double precision']);
const TEXT_TYPES = new Set(['text', 'character varying', 'character', '"char"', 'name']);

/** The family of a type's values, without a domain; `keep` where they tell nothing, null where there is no code. */
export function familyOf(type: string, typtype: string, collation: string): Family | 'keep' | null {
  const bare = type.replace(/\(.*?\)/, '');
  if (typtype === 'e' || bare === 'boolean') return 'keep';
  if (NUMBER_TYPES.has(bare)) return { kind: 'number', key: 'number' };
  if (bare === 'date') return { kind: 'date', key: 'time' };
  if (bare.startsWith('timestamp')) return { kind: 'timestamp', key: 'time' };
  if (bare === 'uuid') return { kind: 'uuid', key: 'uuid' };
  // "char" holds one byte: no code of several digits fits.
  if (bare === '"char"') return null;
  if (TEXT_TYPES.has(bare)) return { kind: 'text', key: `text ${bare === 'name' ? '"C"' : collation}` };
  return null;
}

/** Infinity and NaN stay as they are: they are no data. */
const isSpecial = (value: string) => /^(-?infinity|nan)$/i.test(value);

/** Null: not a form that is known (a date before Christ, another DateStyle). */
function quantityOf(kind: Family['kind'], value: string, anchorUs: bigint): Quantity | null {
  if (kind === 'number') {
    if (/^-?\d+(\.0+)?$/.test(value)) return { whole: BigInt(value.split('.')[0] ?? ''), part: 0 };
    const number = Number(value);
    if (value.trim() === '' || !Number.isFinite(number)) return null;
    const whole = Math.trunc(number);
    return { whole: BigInt(whole), part: number - whole };
  }
  const match =
    /^(\d{4,6})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?$/.exec(
      value,
    );
  if (!match) return null;
  const [, y, mo, d, h, mi, s, f, sign, zh, zm, zs] = match;
  const seconds = Date.UTC(Number(y), Number(mo) - 1, Number(d)) / 1000;
  const zone = (Number(zh ?? 0) * 3600 + Number(zm ?? 0) * 60 + Number(zs ?? 0)) * (sign === '-' ? -1 : 1);
  const time = Number(h ?? 0) * 3600 + Number(mi ?? 0) * 60 + Number(s ?? 0) - zone;
  const us = BigInt(seconds + time) * 1_000_000n + BigInt((f ?? '').padEnd(6, '0')) - anchorUs;
  return { whole: us / DAY_US, part: Number(us % DAY_US) / Number(DAY_US) };
}

function writeQuantity(kind: Family['kind'], rank: Quantity, anchorUs: bigint): string {
  if (kind === 'number') {
    if (rank.part === 0) return rank.whole.toString();
    const sign = rank.part < 0 ? '-' : '';
    const whole = rank.whole < 0n ? -rank.whole : rank.whole;
    return `${sign}${whole}${Math.abs(rank.part).toFixed(9).slice(1)}`;
  }
  const us = anchorUs + rank.whole * DAY_US + BigInt(Math.round(rank.part * Number(DAY_US)));
  const text = new Date(Number(us / 1000n)).toISOString();
  if (kind === 'date') return text.slice(0, 10);
  return `${text.slice(0, 10)} ${text.slice(11, 23)}${(us % 1000n).toString().padStart(3, '0')}+00`;
}

/** What values are gathered into, and, once sealed, their codes. */
export class Codes {
  private readonly anchorUs: bigint;
  private readonly texts = new Map<string, { values: Set<string>; chains: string[][] }>();
  private readonly quantities = new Map<string, Quantity[]>();
  private readonly textCodes = new Map<string, Map<string, string>>();
  private readonly ranks = new Map<string, SignedRanks>();

  /** @param takenAt dates become ranks around this day, so that they stay on their side of now. */
  constructor(takenAt: string) {
    this.anchorUs = BigInt(Date.parse(`${takenAt.slice(0, 10)}T00:00:00Z`)) * 1000n;
  }

  /** Tells whether all of these values can have codes. */
  readable(family: Family, values: readonly string[]): boolean {
    if (family.kind === 'text') return true;
    if (family.kind === 'uuid') return values.every((value) => /^[0-9a-f-]{36}$/.test(value));
    return values.every((value) => isSpecial(value) || quantityOf(family.kind, value, this.anchorUs));
  }

  /** @param ascending the values stand in the server's own order. */
  gather(family: Family, values: string[], ascending: boolean): void {
    if (family.kind === 'text' || family.kind === 'uuid') {
      const known = this.texts.get(family.key) ?? { values: new Set(), chains: [] };
      for (const value of values) known.values.add(value);
      if (ascending && family.kind === 'text') known.chains.push(values);
      this.texts.set(family.key, known);
      return;
    }
    const known = this.quantities.get(family.key) ?? [];
    for (const value of values) {
      const quantity = isSpecial(value) ? null : quantityOf(family.kind, value, this.anchorUs);
      if (quantity) known.push(quantity);
    }
    this.quantities.set(family.key, known);
  }

  /** Gives every gathered value its code. */
  seal(): void {
    for (const [key, quantities] of this.quantities) this.ranks.set(key, new SignedRanks(quantities));
    for (const [key, { values, chains }] of this.texts) {
      const bytewise = key === 'uuid' || key.endsWith(' "C"') || key.endsWith(' "POSIX"');
      const compare = bytewise
        ? (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))
        : new Intl.Collator('und').compare;
      const ordered = orderedWithin(values, chains, (a, b) => compare(a, b) || (a < b ? -1 : 1));
      const width = String(ordered.length).length;
      const code = (rank: number) =>
        key === 'uuid'
          ? `00000000-0000-0000-0000-${rank.toString(16).padStart(12, '0')}`
          : `v${String(rank).padStart(width, '0')}`;
      this.textCodes.set(key, new Map(ordered.map((value, rank) => [value, code(rank)])));
    }
  }

  code(family: Family, value: string): string {
    const text = this.textCodes.get(family.key)?.get(value);
    if (text !== undefined) return text;
    if (isSpecial(value)) return value;
    const quantity = quantityOf(family.kind, value, this.anchorUs);
    const rank = quantity && this.ranks.get(family.key)?.of(quantity);
    if (!rank) throw new Error('a value that was not gathered');
    return writeQuantity(family.kind, rank, this.anchorUs);
  }
}
