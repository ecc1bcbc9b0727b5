/**
 * Virtual time of the protocol cluster: events in the order of their time, equal times in the order
 * in which they were put in. It never asks for a clock.
 */

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventQueue {
  nowMs: number;
  readonly #heap: Event[] = [];
  #order = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  after(delayMs: number, run: () => void): void {
    this.#order += 1;
    const heap = this.#heap;
    const event = { at: this.nowMs + delayMs, order: this.#order, run };
    let child = heap.length;
    heap.push(event);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = heap[parent] as Event;
      if (!before(event, above)) break;
      heap[child] = above;
      child = parent;
    }
    heap[child] = event;
  }

  runUntil(untilMs: number): void {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.at > untilMs) break;
      this.#removeTop();
      this.nowMs = top.at;
      top.run();
    }
    this.nowMs = untilMs;
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) {
        child += 1;
      }
      if (!before(heap[child] as Event, last)) break;
      heap[parent] = heap[child] as Event;
      parent = child;
    }
    heap[parent] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
