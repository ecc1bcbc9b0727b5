/**
 * Commands that take long run in steps: a generator that yields behind some elements, so that the
 * executor can let the rest of the node go. Who drives it decides how long it rests; it changes
 * nothing about the result. Pure.
 */

export type Steps<T = void> = Generator<undefined, T, undefined>;

/** Elements that a command goes through in one step: less than a millisecond. */
export const STEP_ELEMENTS_MAX = 256;

/** All steps at once. */
export function allSteps<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Calls `visit` for each item, in steps of so many. */
export function* forEachInSteps<T>(
  items: Iterable<T>,
  each: number,
  visit: (item: T) => void,
): Steps {
  let left = each;
  for (const item of items) {
    if (left === 0) {
      yield;
      left = each;
    }
    left -= 1;
    visit(item);
  }
}

/** The same for the numbers `[from, to)`: `visit` gets so many of them as an interval. */
export function* forRangeInSteps(
  from: number,
  to: number,
  each: number,
  visit: (start: number, end: number) => void,
): Steps {
  for (let start = from; start < to; start += each) {
    if (start > from) yield;
    visit(start, Math.min(start + each, to));
  }
}

/** Items that the library sorts at once. */
const RUN_ITEMS = 64;

/** As `toSorted`, and as stable: runs that are merged, two by two. */
export function* sortedInSteps<T>(
  items: readonly T[],
  each: number,
  order: (a: T, b: T) => number,
): Steps<readonly T[]> {
  let from: T[] = [...items];
  let left = each;
  for (let at = 0; at < from.length; at += RUN_ITEMS) {
    const run = from.slice(at, at + RUN_ITEMS).sort(order);
    for (const [i, item] of run.entries()) from[at + i] = item;
    left -= run.length;
    if (left > 0) continue;
    yield;
    left = each;
  }
  let to: T[] = new Array<T>(from.length);
  for (let width = RUN_ITEMS; width < from.length; width *= 2) {
    for (let low = 0; low < from.length; low += 2 * width) {
      yield* mergeInSteps(from, to, low, width, each, order);
    }
    [from, to] = [to, from];
  }
  return from;
}

function* mergeInSteps<T>(
  from: readonly T[],
  to: T[],
  low: number,
  width: number,
  each: number,
  order: (a: T, b: T) => number,
): Steps {
  const middle = Math.min(low + width, from.length);
  const end = Math.min(low + 2 * width, from.length);
  let left = low;
  let right = middle;
  for (let at = low; at < end; at += 1) {
    const takesLeft =
      left < middle && (right === end || order(from[left] as T, from[right] as T) <= 0);
    to[at] = (takesLeft ? from[left++] : from[right++]) as T;
    if (at % each === 0) yield;
  }
}
