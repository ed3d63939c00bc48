/** random_page_cost from timed reads, the disk type, or a database that lives in memory; and from what it would change. */
import type { DiskType, Evidence, Rule, RuleContext } from '../../../domain/index.ts';
import { diskBaseline } from '../../settings/baseline.ts';
import { diskInput, isLimit, limited, measured, setting } from '../../settings/facts.ts';
import { readLatency } from '../../settings/io-latency.ts';
import { hitRatio } from '../../settings/observed.ts';
import { proposePlanned } from '../../settings/propose-planned.ts';
import { aboutMemory, formatMemory } from '../../settings/units.ts';
import { isAnotherPath } from '../../settings/what-if.ts';

const ID = 'settings/random-page-cost';
const NAME = 'random_page_cost';
const CACHED_HIT_RATIO = 0.99;
/** A database of at most this share of RAM stays in memory. */
const CACHED_SHARE = 0.5;
const CACHED_COST = 1.1;
/** Whatever was timed: PostgreSQL's own range from pages in memory to spinning disks. */
const TIMED_RANGE = { least: 1.1, most: 4 };

interface Wanted {
  /** Relative to seq_page_cost. */
  ratio: number;
  formula: string;
  why: string;
  evidence: Evidence[];
  confidence: number;
  /** Timed on this server: speaks against a value that somebody chose, too. */
  observed: boolean;
}

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'random_page_cost does not fit where pages come from',
  description:
    'Relative to seq_page_cost: where pg_stat_io timed enough reads (16 and newer, track_io_timing), what a block took that was ' +
    'read in no sequential scan ÷ what one in such a scan took, within 1.1 to 4; else 1.1 for disks without moving parts and 4 ' +
    'for spinning ones. Where the disk type is not known, 1.1 if the database is at most half of RAM and 99 % of its blocks were ' +
    'found in buffers. The planner is asked for the plans of the top statements with the present and the proposed value: quiet where ' +
    'none changes.',
  evaluate: (context) => {
    const disk = diskInput(context);
    const wanted = timed(context) ?? (isLimit(disk) ? (cached(context) ?? disk) : fromDisk(context, disk));
    if (isLimit(wanted)) return limited(wanted);
    const sequential = Number(setting(context, 'seq_page_cost')?.setting ?? 1);
    const proposal = {
      rule: ID,
      name: NAME,
      value: Number((wanted.ratio * sequential).toFixed(3)),
      formula: `${wanted.formula}${sequential === 1 ? '' : ` × seq_page_cost ${sequential}`}`,
      why: wanted.why,
      unless: 'Reads timed by pg_stat_io, or plans that became worse, would speak against it.',
      severity: 'medium' as const,
      confidence: wanted.confidence,
      direction: 'either' as const,
      observed: wanted.observed,
      evidence: wanted.evidence,
      notes: [
        'Plans change with it, mostly from sequential to index scans: watch the slowest statements afterwards.',
      ],
    };
    return proposePlanned(context, proposal, { reprices: true, needs_flips: true, counts: isAnotherPath });
  },
};

function timed(context: RuleContext): Wanted | null {
  const reads = readLatency(context);
  if (reads === null) return null;
  const { least, most } = TIMED_RANGE;
  const ms = (value: number) => `${value.toFixed(3)} ms`;
  return {
    ratio: Number(Math.min(most, Math.max(least, reads.ratio)).toFixed(1)),
    formula: `${ms(reads.random_ms)} a block of other reads ÷ ${ms(reads.sequential_ms)} a block of sequential scans, within ${least} to ${most}`,
    why: `A block took ${ms(reads.random_ms)} outside of sequential scans and ${ms(reads.sequential_ms)} in them (${reads.period}).`,
    evidence: reads.evidence,
    confidence: 0.7,
    observed: true,
  };
}

function fromDisk(context: RuleContext, disk: { type: DiskType; evidence: Evidence }): Wanted {
  const { ratio, formula } = diskCost(disk.type, context.snapshot.server.server_version_num);
  return {
    ratio,
    formula,
    why:
      disk.type === 'hdd'
        ? 'A random page costs a head movement on spinning disks: too low a number makes the planner jump about.'
        : `A random page costs little more than the next one on ${disk.type}: too high a number makes the planner avoid indexes.`,
    evidence: [disk.evidence],
    confidence: 0.75,
    observed: false,
  };
}

function diskCost(type: DiskType, version: number): { ratio: number; formula: string } {
  const cost = diskBaseline(type, Math.floor(version / 10_000)).random_page_cost;
  if (!cost) throw new Error(`no random_page_cost for ${type}`);
  return { ratio: cost.value, formula: cost.formula };
}

/** A database in memory pays no disk at all, whatever it is. */
function cached(context: RuleContext): Wanted | null {
  const size = context.snapshot.server.database_size_bytes;
  const ram = context.snapshot.host.ram_bytes;
  const hits = hitRatio(context);
  if (size === null || ram.value === null || hits === null) return null;
  if (size > CACHED_SHARE * ram.value || hits.ratio < CACHED_HIT_RATIO) return null;
  return {
    ratio: CACHED_COST,
    formula: `${CACHED_COST}: the database's ${aboutMemory(size)} stay in the host's ${formatMemory(ram.value)}`,
    why: `Pages come from memory, where a random one costs what the next one costs: ${(100 * hits.ratio).toFixed(1)} % were found in buffers (${hits.period}), and the database is small beside the RAM.`,
    evidence: [
      measured('size of this database', size, 'bytes', 'pg_database_size'),
      measured('memory of the host', ram.value, 'bytes', ram.source),
      measured(
        'blocks found in buffers',
        hits.ratio,
        'share',
        `pg_stat_database, ${hits.blocks} blocks ${hits.period}`,
      ),
    ],
    confidence: 0.55,
    observed: false,
  };
}
