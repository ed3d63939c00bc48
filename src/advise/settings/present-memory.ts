/** The memory settings as they are, the set that would be proposed, and what is left for each beside the others. */
import type { Evidence, Limit, RuleContext } from '../../domain/index.ts';
import { type BaselineInput, memoryBaseline } from './baseline.ts';
import { parallelBaseline } from './baseline-parallel.ts';
import { observedBuffersShare } from './buffers-share.ts';
import { computed, isLimit, ramInput, setting, settingNotVisible } from './facts.ts';
import {
  budgetBytes,
  type MemoryParameter,
  type MemoryUse,
  roomFor,
  worstCaseBytes,
  worstCaseInputs,
} from './memory-budget.ts';
import { roleWorkMemBytes } from './role-sessions.ts';
import { formatMemory, settingBytes } from './units.ts';
import { workloadType } from './workload-type.ts';

export interface MemoryPlan {
  ram_bytes: number;
  present: MemoryUse;
  /** What would be proposed for a server like this, as a set that fits. */
  values: ReturnType<typeof memoryBaseline>['values'];
  /** What `values` were worked out from: with other connections they are others. */
  input: BaselineInput;
  /** Parallel workers that there are, or that would be proposed for the CPUs where those fit. */
  parallel_workers: number;
  /** What went into it, with the sources. */
  inputs: Evidence[];
}

/** All of it, or the limit that says what is not known. */
export function memoryPlan(context: RuleContext): MemoryPlan | Limit {
  const ram = ramInput(context);
  if (isLimit(ram)) return ram;
  const present = presentMemory(context);
  if (isLimit(present)) return present;
  const type = workloadType(context);
  const buffers_share = observedBuffersShare(context, ram.bytes);
  const planFor = (parallel_workers: number): MemoryPlan => {
    const input: BaselineInput = {
      ...(buffers_share === undefined ? {} : { buffers_share }),
      ram_bytes: ram.bytes,
      cpu_count: null,
      disk_type: null,
      major: Math.floor(context.snapshot.server.server_version_num / 10_000),
      workload_type: type.type,
      connections: present.max_connections,
      autovacuum_workers: present.autovacuum_max_workers,
      parallel_workers,
    };
    return {
      ram_bytes: ram.bytes,
      present,
      input,
      values: memoryBaseline(input).values,
      parallel_workers,
      inputs: [ram.evidence, type.evidence],
    };
  };
  const cpus = context.snapshot.host.cpu_count.value;
  const wanted = cpus === null ? 0 : (parallelBaseline(cpus, type.type).max_parallel_workers?.value ?? 0);
  if (wanted <= present.parallel_workers) return planFor(present.parallel_workers);
  const more = planFor(wanted);
  return worstCaseBytes(together(context, more)) <= budgetBytes(ram.bytes)
    ? more
    : planFor(present.parallel_workers);
}

export function presentMemory(context: RuleContext): MemoryUse | Limit {
  const missing: string[] = [];
  const row = (name: string) => {
    const found = setting(context, name);
    if (!found) missing.push(name);
    return found;
  };
  const bytes = (name: string) => {
    const found = row(name);
    return found ? settingBytes(found) : null;
  };
  const count = (name: string) => Number(row(name)?.setting ?? 0);
  const maintenance = bytes('maintenance_work_mem') ?? 0;
  const use: MemoryUse = {
    shared_buffers: bytes('shared_buffers') ?? 0,
    wal_buffers: bytes('wal_buffers') ?? 0,
    work_mem: bytes('work_mem') ?? 0,
    maintenance_work_mem: maintenance,
    // −1 stands for maintenance_work_mem.
    autovacuum_work_mem: bytes('autovacuum_work_mem') ?? maintenance,
    max_connections: count('max_connections'),
    parallel_workers: Math.min(count('max_parallel_workers'), count('max_worker_processes')),
    autovacuum_max_workers: count('autovacuum_max_workers'),
    hash_mem_multiplier: Number(setting(context, 'hash_mem_multiplier')?.setting ?? 1),
  };
  use.role_work_mem = roleWorkMemBytes(context, use);
  return missing[0] === undefined ? use : settingNotVisible(missing.join(', '));
}

/** autovacuum_work_mem −1: each autovacuum worker may take maintenance_work_mem. */
function autovacuumFollows(context: RuleContext): boolean {
  return setting(context, 'autovacuum_work_mem')?.setting === '-1';
}

function changed(context: RuleContext, plan: MemoryPlan, name: MemoryParameter, bytes: number): MemoryUse {
  const use = { ...plan.present, [name]: bytes };
  if (name === 'maintenance_work_mem' && autovacuumFollows(context)) use.autovacuum_work_mem = bytes;
  return use;
}

/**
 * Every setting at what it is or at what would be proposed, whichever is more; but work_mem and hash_mem_multiplier,
 * which get what that leaves.
 */
export function together(context: RuleContext, plan: MemoryPlan): MemoryUse {
  const { present, values, parallel_workers } = plan;
  const maintenance = Math.max(present.maintenance_work_mem, values.maintenance_work_mem.value);
  return {
    ...present,
    shared_buffers: Math.max(present.shared_buffers, values.shared_buffers.value),
    maintenance_work_mem: maintenance,
    autovacuum_work_mem: autovacuumFollows(context) ? maintenance : present.autovacuum_work_mem,
    parallel_workers,
  };
}

/**
 * The most that one setting may be, bytes, beside all others as `together` has them: whatever of the proposals is
 * applied, and in whatever order, the whole fits.
 */
export function roomBeside(context: RuleContext, plan: MemoryPlan, name: MemoryParameter): number {
  const all = together(context, plan);
  if (name === 'maintenance_work_mem' && autovacuumFollows(context)) {
    const rest = worstCaseBytes({ ...all, maintenance_work_mem: 0, autovacuum_work_mem: 0 });
    return (budgetBytes(plan.ram_bytes) - rest) / (1 + all.autovacuum_max_workers);
  }
  return roomFor(name, all, plan.ram_bytes);
}

/** Worst case before and after one change, and what it has to fit into: evidence of every memory setting. */
export function worstCaseEvidence(
  context: RuleContext,
  plan: MemoryPlan,
  name: MemoryParameter,
  bytes: number,
): Evidence[] {
  return worstCaseOf(plan, changed(context, plan, name, bytes));
}

/** The same for a set that differs otherwise: fewer connections, more workers. */
export function worstCaseOf(plan: MemoryPlan, after: MemoryUse): Evidence[] {
  return [
    computed('worst-case memory now', worstCaseBytes(plan.present), 'bytes', worstCaseInputs(plan.present)),
    computed('worst-case memory after', worstCaseBytes(after), 'bytes', worstCaseInputs(after)),
    computed(
      'memory that the set may take',
      budgetBytes(plan.ram_bytes),
      'bytes',
      `90 % of ${formatMemory(plan.ram_bytes)}`,
    ),
  ];
}
