/** What was decoded of late, up to a size: the values are shared, so nobody may write to them. */
export class LruCache {
  readonly #limit: number;
  readonly #entries = new Map<string, { value: unknown; bytes: number }>();
  #bytes = 0;

  /** @param limit bytes, as estimated by those who put values in. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get<T>(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value as T;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** What was used longest ago goes. A value beyond the limit by itself is not kept. */
  put(key: string, value: unknown, bytes: number): void {
    const before = this.#entries.get(key);
    if (before) {
      this.#entries.delete(key);
      this.#bytes -= before.bytes;
    }
    if (bytes > this.#limit) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#limit) break;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }

  /** Bytes that are held, as estimated. */
  get bytes(): number {
    return this.#bytes;
  }
}
