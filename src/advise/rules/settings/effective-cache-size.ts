/** effective_cache_size from the host's memory. */
import type { Evidence, Rule, RuleContext } from '../../../domain/index.ts';
import type { BaselineValue } from '../../settings/baseline.ts';
import { isLimit, limited, measured } from '../../settings/facts.ts';
import { type MemoryPlan, memoryPlan } from '../../settings/present-memory.ts';
import { proposePlanned } from '../../settings/propose-planned.ts';
import { formatMemory, roundMemory, settingBytes } from '../../settings/units.ts';
import { isAnotherPath } from '../../settings/what-if.ts';

const ID = 'settings/effective-cache-size';
const NAME = 'effective_cache_size';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'effective_cache_size does not tell the planner what is cached',
  description:
    'Three quarters of RAM (pgtune), or less where the host tells that other programs fill it: shared_buffers and the memory that is ' +
    'available (MemAvailable, most of it page cache). It reserves nothing: the planner only takes repeated index reads for cheaper or ' +
    'dearer. A value that somebody chose is questioned only where it is below shared_buffers, which contradicts itself. Quiet ' +
    'where the planner, asked for the top statements with both values, changes no plan.',
  evaluate: (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const row = context.snapshot.settings.find((item) => item.name === NAME);
    const present = row ? settingBytes(row) : null;
    const cached = cacheOf(context, plan);
    const contradiction = present !== null && present < plan.present.shared_buffers;
    const proposal = {
      rule: ID,
      name: NAME,
      ...cached.value,
      why: contradiction
        ? `The planner is told that less is cached than shared_buffers (${formatMemory(plan.present.shared_buffers)}) alone hold.`
        : 'The planner takes it for what buffers and the page cache hold together: too little makes index scans look dear, too much makes them look cheap.',
      unless: 'Other programs that fill this memory would speak for less.',
      severity: contradiction ? ('medium' as const) : ('low' as const),
      confidence: contradiction ? 0.8 : 0.6,
      direction: 'either' as const,
      observed: contradiction,
      evidence: [...plan.inputs, ...cached.evidence],
      notes: ['It takes no memory. Plans may change: from sequential scans to index scans where it grows.'],
    };
    return proposePlanned(context, proposal, {
      reprices: true,
      needs_flips: !contradiction,
      counts: isAnotherPath,
    });
  },
};

/** Three quarters of RAM, less where what is available beside shared_buffers is less: read once, at the snapshot. */
function cacheOf(context: RuleContext, plan: MemoryPlan): { value: BaselineValue; evidence: Evidence[] } {
  const formula = plan.values.effective_cache_size;
  const usage = context.snapshot.host.usage;
  if (!usage?.value) return { value: formula, evidence: [] };
  const { shared_buffers } = plan.present;
  const available = usage.value.memory_available_bytes;
  const most = Math.max(shared_buffers, roundMemory(shared_buffers + available));
  const evidence = [measured('memory available on the host', available, 'bytes', usage.source)];
  if (most >= formula.value) return { value: formula, evidence };
  return {
    value: {
      value: most,
      text: formatMemory(most),
      formula: `shared_buffers ${formatMemory(shared_buffers)} + ${formatMemory(roundMemory(available))} available, less than ${formula.formula}`,
    },
    evidence,
  };
}
