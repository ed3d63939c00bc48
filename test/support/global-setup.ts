/** Serves test servers and the compiled program to all test files of a run, each made once and gone at the end. */
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestProject } from 'vitest/node';
import { type PoolAnswer, ServerPool } from './pool.ts';
import { CompiledProgram } from './program.ts';
import type { ServerRequest } from './provider.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the run's server pool answers; beside it, at `program`, the compiled program. */
    serverPool: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const pool = new ServerPool();
  const program = new CompiledProgram();
  const answer = async (request: IncomingMessage): Promise<PoolAnswer> => {
    try {
      if (request.url === '/program') return { folder: await program.folder() };
      const wanted: ServerRequest = JSON.parse(await text(request));
      return { server: await pool.server(wanted) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
  const http = createServer((request, response) => {
    void answer(request).then((body) => response.end(JSON.stringify(body)));
  });
  const port = await new Promise<number>((resolve, reject) => {
    http.on('error', reject);
    http.listen(0, '127.0.0.1', () => {
      const address = http.address();
      if (address !== null && typeof address === 'object') resolve(address.port);
      else reject(new Error('the server pool has no port'));
    });
  });
  project.provide('serverPool', `http://127.0.0.1:${port}/`);
  return async () => {
    http.closeAllConnections();
    http.close();
    await Promise.all([pool.stop(), program.remove()]);
  };
}
