import { statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Test servers make and drop hundreds of databases, which a file system in memory does a third faster than a disk. */
const IN_MEMORY = '/dev/shm';
const ROOM = 6 * 1024 ** 3;

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    return bavail * bsize >= ROOM && Math.min(freemem(), process.availableMemory?.() ?? 0) >= ROOM;
  } catch {
    return false;
  }
}

if (process.env.TMPDIR === undefined && hasRoom()) process.env.TMPDIR = IN_MEMORY;

/** What takes longest alone begins first, so that the workers end together. */
const LONGEST = [
  'advise/index/inverted-sizes',
  'e2e/demo',
  'pipeline/applied-by-hand',
  'pipeline/reverts',
  'e2e/settings-applied',
  'e2e/settings-checkpoints',
  'apply/chaos',
  'advise/bloat/estimate',
  'advise/rules/autovacuum/changes-server',
  'whatif/fidelity',
  'e2e/settings-sessions',
  'apply/batch-chaos',
  'apply/verify-lifetimes',
  'advise/index/size-model',
  'advise/index/uneven-values',
  'whatif/round-trip',
  'pipeline/window-closes',
  'pipeline/restart-batch',
  'e2e/snapshot-file',
  'jobs/stopped',
  'workload/delta-server',
  'advise/rules/settings/server',
  'collect/failures',
  'advise/rules/health/planted',
  'advise/rules/autovacuum/end-to-end',
  'e2e/cli',
  'pipeline/replicas',
  'advise/rules/autovacuum/naptime-and-memory',
  'collect/column-ends',
  'collect/footprint',
  'store/fast-snapshots',
  'advise/rules/autovacuum/falls-behind',
  'advise/rules/autovacuum/wraparound-server',
  'store/roll-ups',
  'workload/sampling-types',
  'store/snapshots',
  'pipeline/store-killed',
  'embedded/persistent',
  'embedded/temporary',
  'api/analyses',
  'apply/verify-simulated',
  'embedded/account',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return found === -1 ? LONGEST.length : found;
    };
    // Behind them as vitest has it: by the last run's times, or by size where there was none.
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Two more than the two cores that it is meant for: tests wait for servers, checkpoints and autovacuum, and one of
    // the workers does nothing else for a minute.
    maxWorkers: 4,
    // Snapshots and their parts live for milliseconds: with V8's 16 MB a tenth of a worker's time went into collecting them.
    execArgv: ['--max-semi-space-size=64'],
    sequence: { sequencer: LongestFirst },
    // A worker imports the code once, not once a file: that was a fifth of the run.
    isolate: false,
    reporters: ['default'],
  },
});
