/**
 * Room rule. demo/ holds the sample application, its workload, and the tour of the loop. It may import domain,
 * embedded and report. It drives the service through HTTP like any operator: it never reaches into the service.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDemoLoop } from './loop.ts';
import type { ServiceAddress } from './service-client.ts';
import { renderDemoResult } from './story.ts';
import { startDemoTarget } from './target.ts';

export { runDemoLoop } from './loop.ts';
export { startDemoTarget } from './target.ts';

export interface DemoOptions {
  /** Starts the real service on a free port with its state in this folder. */
  startService: (dataDirectory: string) => Promise<ServiceAddress & { stop: () => Promise<void> }>;
  rounds: number;
  progress: (message: string) => void;
  /** Resolves when the user wants an end. */
  stop: Promise<string>;
  /** Prints to standard output. */
  show: (text: string) => void;
  json: boolean;
  /** End after the result, in place of serving on. */
  once: boolean;
  terminal: { color: boolean; width: number };
}

/** The tour: target, service, loop, result; then serving until stopped, unless `once`. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const closers: (() => Promise<unknown>)[] = [];
  const tour = async () => {
    const target = await startDemoTarget(options.progress);
    closers.push(() => target.server.stop('immediate'));
    options.progress('starting the service');
    const directory = await mkdtemp(join(tmpdir(), 'pgluthier-demo-'));
    closers.push(() => rm(directory, { recursive: true, force: true }));
    const service = await options.startService(directory);
    closers.push(service.stop);
    const result = await runDemoLoop({
      service,
      dsn: target.dsn,
      rounds: options.rounds,
      connections: 3,
      progress: options.progress,
    });
    options.show(
      options.json ? `${JSON.stringify(result, null, 2)}\n` : renderDemoResult(result, options.terminal),
    );
    if (options.once) return;
    options.show(
      `${options.json ? '' : '\n'}The service serves on until Ctrl-C:\n` +
        `  curl -s -H 'Authorization: Bearer ${service.token}' ${service.url}/v1/targets/${result.target_id}/recommendations\n` +
        `  API: ${service.url}/openapi.json   target: psql '${target.dsn}'\n`,
    );
    await options.stop;
  };
  try {
    // A stop in the middle of the tour ends it: what it started is closed below all the same.
    await Promise.race([tour(), options.stop]);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
