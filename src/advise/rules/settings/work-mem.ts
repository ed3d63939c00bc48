/** work_mem from what really spilled, within what the memory allows. */
import type { Evidence, Rule, RuleContext } from '../../../domain/index.ts';
import { percent } from '../../health/words.ts';
import { computed, isLimit, limited, measured, rejected } from '../../settings/facts.ts';
import { hashMemory } from '../../settings/hash-memory.ts';
import { observed } from '../../settings/observed.ts';
import { memoryPlan, roomBeside, worstCaseEvidence } from '../../settings/present-memory.ts';
import type { Proposal } from '../../settings/propose.ts';
import { proposePlanned } from '../../settings/propose-planned.ts';
import { workMemByRole } from '../../settings/role-work-mem.ts';
import { mostNeeded, spillPlans } from '../../settings/spill-memory.ts';
import { allSpills, fileTimeWords, type Spill, spillsOf } from '../../settings/spills.ts';
import { aboutMemory, formatMemory, roundMemory } from '../../settings/units.ts';

const ID = 'settings/work-mem';
const NAME = 'work_mem';
/** Statements that spill but take less of the time than this, all together, are no reason for every session's limit. */
const LEAST_SHARE_OF_TIME = 0.005;
const SPILLS_LISTED = 3;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'work_mem is too small for what statements sort and hash',
  description:
    'Fires only on spills: statements that wrote temporary blocks, whose files take a tenth of their time (as timed by ' +
    'track_io_timing from 15 on, else 2 × bytes at 400 MB a second, 100 MB on a spinning or unknown disk), and which take at least 0.5 % of the time together. ' +
    'Proposes what the spills of a call need by the kind of node that the planner has for them (twice what was written where it is not known), at most what the budget of the whole set leaves for ' +
    '3 × (max_connections + parallel workers) of it, and 1 GB. Quiet where all of it comes from some of the roles only: ' +
    'settings/work-mem-role gives it to those. Quiet without spills: memory alone is no reason.',
  evaluate: async (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const all = allSpills(context);
    if (all.length === 0) return reject('nothing_spills', noSpillReason(context, plan.present.work_mem));
    const spills = spillsOf(context);
    if (spills.length === 0) return reject('spills_cost_little', cheapReason(all));
    const share = spills.reduce((sum, spill) => sum + spill.query.share_of_time, 0);
    if (share < LEAST_SHARE_OF_TIME) {
      return reject(
        'spills_rarely',
        `${spills.length} statement(s) wrote temporary files, but they take ${(100 * share).toFixed(2)} % of the time: SET LOCAL work_mem in those suits better`,
      );
    }
    const plans = await spillPlans(context);
    const byRole = workMemByRole(context, plan, plans).given;
    if (byRole.length > 0) {
      return reject(
        'roles_suffice',
        `${byRole.map(({ role }) => role).join(', ')} can be given more alone (settings/work-mem-role), which leaves everybody else as they are`,
      );
    }
    if ('value' in (await hashMemory(context, plan))) {
      return reject(
        'hashes_suffice',
        'all that spills hashes and never sorts: settings/hash-mem-multiplier gives hashes alone what they need',
      );
    }
    const largest = Math.max(...spills.map((spill) => spill.bytes_per_call));
    const { bytes: needed, formula: need } = mostNeeded(spills, plans, {
      major: plan.input.major,
      work_mem: plan.present.work_mem,
      hash_mem_multiplier: plan.present.hash_mem_multiplier ?? 1,
    });
    const room = roomBeside(context, plan, NAME);
    const value = Math.min(needed, plan.values.work_mem.value, room > 0 ? roundMemory(room) : 0);
    if (value <= plan.present.work_mem) {
      const why =
        needed <= plan.present.work_mem
          ? `the largest spill of a call (${aboutMemory(largest)}) should fit into ${formatMemory(plan.present.work_mem)} already: several sorts, or more memory by role`
          : `it would take about ${formatMemory(needed)}, but with ${plan.present.max_connections} connections the budget leaves ${formatMemory(Math.max(room, 0))}: set it with ALTER ROLE for ${rolesOf(spills)}, or lower max_connections`;
      return reject('memory_budget', why);
    }
    const roles = rolesOf(spills);
    const proposal: Proposal = {
      rule: ID,
      name: NAME,
      value,
      formula: `min(what the spills of a call need, ${formatMemory(needed)}: ${need}; what the budget leaves, ${formatMemory(Math.max(room, 0))}; 1GB)`,
      why:
        `${spills.length} statement(s), ${(100 * share).toFixed(1)} % of the time, wrote up to ${aboutMemory(largest)} a call into temporary files: ` +
        `they sort or hash more than work_mem holds.${value < needed ? ` About ${formatMemory(needed)} would be enough; the budget allows no more than this for all sessions.` : ''}`,
      unless: `All of it comes from ${roles}: ALTER ROLE … SET work_mem confines it to those who need it. An index that delivers the order may end the sort altogether.`,
      severity: share >= 0.1 ? 'medium' : 'low',
      confidence: value < needed ? 0.5 : 0.75,
      direction: 'raise',
      observed: true,
      evidence: [
        ...plan.inputs,
        ...spills.slice(0, SPILLS_LISTED).map(spillEvidence),
        ...temporaryFiles(context),
        computed(
          'work_mem that the spills of a call need',
          needed,
          'bytes',
          `the most of all statements: ${need}`,
        ),
        ...worstCaseEvidence(context, plan, NAME, value),
      ],
      notes: [
        'Each sort of each session may take this much, and each hash so much × hash_mem_multiplier.',
        ...activeNote(context),
      ],
    };
    return proposePlanned(context, proposal, { reprices: false, needs_flips: false });
  },
};

function cheapReason(all: readonly Spill[]): string {
  const largest = Math.max(...all.map(({ bytes_per_call }) => bytes_per_call));
  const share = Math.max(...all.map(({ time_share }) => time_share));
  const known = all.every(({ level }) => level === 'measured') ? 'as it was timed' : 'estimated by the disk';
  return `${all.length} statement(s) wrote up to ${aboutMemory(largest)} a call into temporary files, but writing and reading them back takes at most ${percent(share)} of their time (${known}): larger sorts and hashes would hardly be faster by it`;
}

/** How much of the worst case was near: that all connections sort at once is the bound, not the habit. */
function activeNote({ window, snapshot }: RuleContext): string[] {
  const seen = window?.concurrency;
  if (!seen) return [];
  const most = snapshot.settings.find(({ name }) => name === 'max_connections')?.setting;
  return [
    `The worst case takes all ${most} connections at work; at most times no more than ${seen.active_p95} were (95th percentile of ${seen.samples} samples).`,
  ];
}

function noSpillReason(context: RuleContext, present: number): string {
  const bytes = observed(context, 'database')?.counted.temp_bytes ?? 0;
  const elsewhere =
    bytes > 0
      ? `, though ${aboutMemory(bytes)} of temporary files were counted for the database (index builds, or statements that are not kept)`
      : '';
  return `no statement wrote temporary files with ${formatMemory(present)}${elsewhere}`;
}

function rolesOf(spills: Spill[]): string {
  const roles = [...new Set(spills.flatMap((spill) => spill.query.users))].sort();
  return roles.length === 0 ? 'roles that are not visible' : `role ${roles.join(', ')}`;
}

function spillEvidence({ query, bytes_per_call, ...files }: Spill): Evidence {
  return {
    name: `spilled in a call of ${query.query_id}`,
    value: bytes_per_call,
    unit: 'bytes',
    source: `pg_stat_statements.temp_blks_written over ${query.calls} calls, ${(100 * query.share_of_time).toFixed(1)} % of the time; ${fileTimeWords(files)}`,
    level: 'measured',
    formula: null,
  };
}

function temporaryFiles(context: RuleContext): Evidence[] {
  const seen = observed(context, 'database');
  return seen === null
    ? []
    : [
        measured(
          'temporary files of the database',
          seen.counted.temp_bytes,
          'bytes',
          `pg_stat_database.temp_bytes, ${seen.period}`,
        ),
      ];
}
