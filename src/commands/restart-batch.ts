/** `pgluthier restart-batch`: approved settings of a target that wait for a restart, out of the store. */
import type { WaitingForRestart } from '../pipeline/index.ts';

const mb = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;

/** For a person. */
export function renderRestartBatch(waiting: WaitingForRestart): string {
  const { members, memory, pending_restart, batch_hash, batches, limits } = waiting;
  const lines: string[] = [];
  if (members.length === 0) lines.push('No approved setting waits to be written for a restart.');
  else {
    lines.push(`${members.length} approved setting(s), written together or not at all (hash ${batch_hash}):`);
    for (const { name, current_value, value, state } of members) {
      lines.push(`  ${name}: ${current_value} -> ${value} (${state})`);
    }
  }
  if (memory) {
    lines.push(
      `Worst-case memory: ${mb(memory.worst_case_before)} now, ${mb(memory.worst_case_after)} after, of ${mb(memory.budget)}${memory.fits ? '' : ': it does NOT fit'}.`,
      `  ${memory.inputs}`,
    );
  }
  for (const { message } of limits) lines.push(message);
  if (pending_restart.length > 0) {
    const names = pending_restart.map(({ name }) => name).join(', ');
    lines.push(`Written, and waiting for the restart: ${names}.`);
  }
  for (const { id, state, created_at, actor } of batches) {
    lines.push(`${created_at}  ${id}  ${state}  by ${actor}`);
  }
  return `${lines.join('\n')}\n`;
}
