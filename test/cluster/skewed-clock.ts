/**
 * A wall clock that a test can step, for one node: a preloaded module adds to `Date.now` what a
 * file says. The node's own clock follows `Date.now` as it would follow a step made by an operator.
 * Clocks other than `Date.now` (the monotonic clock, file times) stay right, as they would there.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const POLL_MS = 100;

export class SkewedClock {
  readonly #path: string;

  constructor(directory: string, id: number) {
    this.#path = join(directory, `clock-${id}.offset-ms`);
  }

  /** Arguments for `node` that make it follow this clock. */
  get nodeArguments(): string[] {
    const source = [
      `import { readFileSync } from 'node:fs';`,
      `const right = Date.now.bind(Date);`,
      `let offsetMs = 0;`,
      `const read = () => {`,
      `  try { offsetMs = Number(readFileSync(${JSON.stringify(this.#path)}, 'utf8')) || 0; }`,
      `  catch { offsetMs = 0; }`,
      `};`,
      `read();`,
      `setInterval(read, ${POLL_MS}).unref();`,
      `Date.now = () => right() + offsetMs;`,
    ].join('\n');
    return ['--import', `data:text/javascript,${encodeURIComponent(source)}`];
  }

  step(offsetMs: number): void {
    writeFileSync(this.#path, String(offsetMs));
  }

  heal(): void {
    rmSync(this.#path, { force: true });
  }
}
