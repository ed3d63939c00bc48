/** Starts servers on request of a test, as a process that the test can kill: `owner-process.ts <options as JSON>`. */
import { pathToFileURL } from 'node:url';

const [optionsJson = '{}', other] = process.argv.slice(2);

type Embedded = typeof import('../../src/embedded/index.ts');
const { startEmbedded }: Embedded =
  other === undefined ? await import('../../src/embedded/index.ts') : await import(pathToFileURL(other).href);

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

try {
  const server = await startEmbedded(JSON.parse(optionsJson));
  const { pid, dataDirectory, socketDirectory, version } = server;
  say({ pid, dataDirectory, socketDirectory, version, dsn: server.dsn() });
  process.stdin.on('data', (chunk) => {
    const order = chunk.toString('utf8').trim();
    if (order === 'exit') process.exit(0);
    if (order === 'throw') throw new Error('asked to');
    if (order === 'stop') void server.stop().then(() => process.exit(0));
  });
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  say({ code, message });
  process.exit(3);
}
