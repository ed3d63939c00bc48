/**
 * How long CREATE INDEX CONCURRENTLY takes: by it a DBA chooses a window for it. The work, counted, on one core, and what
 * a disk reads and writes that has nothing of the table in memory; one after the other, which they are at the most.
 */
import { amountWords, bytesWords, type Evidence, type Snapshot } from '../../domain/index.ts';
import { type BuildWork, type BuiltIndex, buildWork, PASSES } from './build-work.ts';
import { BLOCK_BYTES } from './size-model.ts';

/** Bytes a second that such disks read and write one after the other, as their data sheets have it at the low end. */
const BYTES_A_SECOND = { hdd: 120e6, san: 200e6, ssd: 400e6, nvme: 1500e6 } as const;
/** Of an address in the sort of validation: eight bytes, and in memory the slot that points to it (tuplesort.c). */
const ADDRESS_BYTES = { stored: 16, sorted: 24 } as const;
/** An address in the lists of a GIN's build: six bytes, room for twice as many as there are (ginCombineData()). */
const POSTING_BYTES = 12;
/** PostgreSQL's own, where the settings are not known. */
const DEFAULTS = {
  maintenance_work_mem: 64 * 2 ** 20,
  effective_cache_size: 4 * 2 ** 30,
  shared_buffers: 128 * 2 ** 20,
} as const;
const UNITS: Readonly<Record<keyof typeof DEFAULTS, number>> = {
  maintenance_work_mem: 1024,
  effective_cache_size: BLOCK_BYTES,
  shared_buffers: BLOCK_BYTES,
};

/** What was measured: `npm run bench -- build-times`, all shapes on 18 and on 15, the processor's seconds of each build. */
const RANGE =
  '112 builds in memory (56 kinds of index, PostgreSQL 18 and 15, 0.05 to 1 million rows) took 0.72 to 1.4 times such work, one a fifth (GiST over ranges that end alike, before 18); parallel workers, which are not reckoned with, make it shorter, a slower processor longer';

interface Disk {
  bytes: number;
  words: string;
}

/**
 * Seconds, null for a method whose builds were not measured, and the row that says how they come about.
 * @returns work_seconds: without what the disk adds, which is what a build takes whose table is in memory.
 */
export function buildTime(
  index: BuiltIndex & { size_bytes: number },
  snapshot: Snapshot,
): { seconds: number | null; work_seconds: number | null; evidence: Evidence } {
  const row = {
    name: 'time to build it',
    unit: 's',
    source:
      'build time model: rows, keys, entries and disk; other load, lock waits and long transactions come on top',
    level: 'estimated' as const,
  };
  const built = buildWork(index, snapshot);
  if (built === null) {
    const formula = `how long ${index.candidate.definition.method} takes was not measured`;
    return { seconds: null, work_seconds: null, evidence: { ...row, value: null, formula } };
  }
  const work_seconds =
    built.work.reduce((sum, { count, microseconds }) => sum + count * microseconds, 0) / 1e6;
  const disk = snapshot.host.disk_type.value;
  const rate = BYTES_A_SECOND[disk ?? 'san'];
  const moved = [...tableRead(index, built, snapshot), ...written(index, built, snapshot)];
  const disk_seconds = moved.reduce((sum, { bytes }) => sum + bytes, 0) / rate;
  const seconds = work_seconds + disk_seconds;
  const work = built.work
    .filter(({ count, microseconds }) => count * microseconds >= LEAST_SHOWN * 1e6 * work_seconds)
    .map(({ count, of, microseconds }) => `${amountWords(Math.round(count))} ${of} × ${microseconds} µs`);
  const formula =
    `${work.join(' + ')} = ${amountWords(work_seconds)} s, and (${moved.map(({ words }) => words).join(' + ')}) ÷ ` +
    `${rate / 1e6} MB/s (${disk ?? 'disk not known, taken for a SAN'}) = ${amountWords(disk_seconds)} s that a disk adds; ${RANGE}`;
  return { seconds, work_seconds, evidence: { ...row, value: seconds, formula } };
}

/** Shares of the work below are in the sum, but not in the words. */
const LEAST_SHOWN = 0.005;

function tableRead({ candidate: { table } }: BuiltIndex, built: BuildWork, snapshot: Snapshot): Disk[] {
  const heap = table.row.main_pages * BLOCK_BYTES;
  const cache = snapshot.host.ram_bytes.value ?? settingOf('effective_cache_size', snapshot);
  // What fits into memory is there when it is read again.
  const times = heap > cache ? PASSES : 1;
  const toast = built.reads_toast ? table.row.toast_bytes : 0;
  return [
    { bytes: times * heap, words: `${times} × ${bytesWords(heap)} of table` },
    ...(toast > 0 ? [{ bytes: toast, words: `${bytesWords(toast)} of its TOAST` }] : []),
  ];
}

function written(
  { candidate, size_bytes }: BuiltIndex & { size_bytes: number },
  built: BuildWork,
  snapshot: Snapshot,
): Disk[] {
  const memory = settingOf('maintenance_work_mem', snapshot);
  const found = [{ bytes: 2 * size_bytes, words: `2 × ${bytesWords(size_bytes)} of index and its log` }];
  const { sorted_bytes, addresses } = built;
  if (sorted_bytes !== null && sorted_bytes > memory) {
    found.push({
      bytes: 2 * sorted_bytes,
      words: `2 × ${bytesWords(sorted_bytes)} of sort files, beyond maintenance_work_mem`,
    });
  }
  if (addresses * ADDRESS_BYTES.sorted > memory) {
    const bytes = addresses * ADDRESS_BYTES.stored;
    found.push({ bytes: 2 * bytes, words: `2 × ${bytesWords(bytes)} of addresses to validate` });
  }
  // Each time the memory is full its entries are put in all over the index; what the cache holds is written once.
  const loads = Math.floor((addresses * POSTING_BYTES) / memory);
  if (
    candidate.definition.method === 'gin' &&
    loads > 0 &&
    size_bytes > settingOf('shared_buffers', snapshot)
  ) {
    found.push({
      bytes: loads * size_bytes,
      words: `${loads} × ${bytesWords(size_bytes)} of index, half of it read and written for each ${bytesWords(memory)} of maintenance_work_mem`,
    });
  }
  return found;
}

/** Bytes. */
function settingOf(name: keyof typeof DEFAULTS, { settings }: Snapshot): number {
  const setting = Number(settings.find((each) => each.name === name)?.setting ?? Number.NaN);
  return Number.isNaN(setting) ? DEFAULTS[name] : setting * UNITS[name];
}
