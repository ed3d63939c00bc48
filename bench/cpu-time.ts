/** What a process has used of the processor: what it costs, whatever else the machine is busy with. Linux only. */
import { readFile } from 'node:fs/promises';

/** CPU milliseconds of a process so far. */
export async function cpuOf(pid: number): Promise<number> {
  const [nanoseconds] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ');
  return Number(nanoseconds) / 1e6;
}
