/** JSON for jsonb columns and for hashes. */

/** Only what may need mending: NUL, which jsonb refuses, and surrogates, of which a cut text may hold a half. */
const suspect = /[\0\ud800-\udfff]/;

/** The text with U+FFFD in place of what PostgreSQL's text cannot hold. */
function storable(text: string): string {
  if (!suspect.test(text)) return text;
  return Buffer.from(text, 'utf8').toString('utf8').replaceAll('\0', '\ufffd');
}

/**
 * The value as jsonb takes and gives it back: half surrogates and NULs replaced by U+FFFD, undefined left out.
 * @throws RangeError for NaN and infinities, which JSON would silently turn into null.
 */
export function storableJson(value: unknown): unknown {
  if (typeof value === 'string') return storable(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`${value} is not JSON`);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : storableJson(item)));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [storable(key), storableJson(item)]),
    );
  }
  return value;
}

/** For a jsonb parameter. */
export function jsonText(value: unknown): string {
  return JSON.stringify(storableJson(value));
}

/** JSON with sorted keys: the same content has the same text, whatever jsonb did to their order. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
