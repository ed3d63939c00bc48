/** A line on standard error that tells what goes on: rewritten in place on a terminal, one line a change elsewhere. */

export interface Progress {
  show(message: string): void;
  /** Takes the line away before something is printed. */
  clear(): void;
}

/** Progress for this process's standard error. */
export function createProgress(): Progress {
  const tty = process.stderr.isTTY === true;
  const started = Date.now();
  let last = '';
  return {
    show: (message) => {
      if (tty) {
        const seconds = Math.round((Date.now() - started) / 1000);
        const width = (process.stderr.columns ?? 100) - 1;
        process.stderr.write(`\r\x1b[K${`[${seconds} s] ${message}`.slice(0, width)}`);
        return;
      }
      // Where nothing can be rewritten, percentages would fill the log: only what comes before the colon counts.
      const stage = message.split(':')[0] ?? message;
      if (stage !== last) process.stderr.write(`${message}\n`);
      last = stage;
    },
    clear: () => {
      if (tty) process.stderr.write('\r\x1b[K');
    },
  };
}
