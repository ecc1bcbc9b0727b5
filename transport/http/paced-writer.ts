/**
 * Writes a long answer piece by piece: in slices of a few milliseconds, so that clients of the node
 * are served in between, and never more than the reader takes. So it costs little memory however
 * long the answer is, and none for a reader that has gone.
 */
import type { Writable } from 'node:stream';

/** The event loop is given back after so long. */
const SLICE_MS_MAX = 2;
/** And for so many times as long: dumps take at most a fifth of the node's time. */
export const REST_FACTOR = 4;
const WRITE_BYTES_MAX = 256 * 1024;

interface PacedOptions {
  /** A reader that has taken nothing for so long is given up. */
  readonly stalledMsMax: number;
  readonly nowMs?: () => number;
}

/**
 * Resolves when all is written, or the reader has gone or is given up (then it is destroyed), with
 * the time that making the pieces took.
 */
export function writePaced(
  pieces: Iterable<string>,
  to: Writable,
  { stalledMsMax, nowMs = () => performance.now() }: PacedOptions,
): Promise<number> {
  const iterator = pieces[Symbol.iterator]();
  return new Promise((resolve) => {
    let stalled: NodeJS.Timeout | undefined;
    let isOver = false;
    let busyMs = 0;
    const finish = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(stalled);
      iterator.return?.();
      resolve(busyMs);
    };
    const fail = (error: unknown): void => {
      to.destroy(error instanceof Error ? error : new Error(String(error)));
      finish();
    };
    /** Also behind `drain`: a quick reader drains within the tick of the write. */
    const rest = (): void => {
      clearTimeout(stalled);
      setTimeout(step, SLICE_MS_MAX * REST_FACTOR);
    };
    const goOn = (): void => {
      const untilMs = nowMs() + SLICE_MS_MAX;
      let text = '';
      while (!isOver) {
        const next = iterator.next();
        if (next.done === true) {
          to.end(text);
          return;
        }
        text += next.value;
        if (nowMs() < untilMs && text.length < WRITE_BYTES_MAX) continue;
        if (text === '' || to.write(text)) return rest();
        to.once('drain', rest);
        stalled = setTimeout(() => to.destroy(), stalledMsMax);
        return;
      }
    };
    const step = (): void => {
      if (isOver) return;
      const startMs = nowMs();
      try {
        goOn();
      } catch (error) {
        fail(error);
      }
      busyMs += nowMs() - startMs;
    };
    to.once('close', finish);
    to.once('finish', finish);
    to.on('error', finish);
    step();
  });
}
