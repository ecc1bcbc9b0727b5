/**
 * Finds which `in` event received what an `out` event sent. Messages carry no number for traces
 * (single frames are counted in the kernel and have no room), so the ends are matched by
 * transaction, kind, nodes and value, each end once: an `in` with the latest `out` that was not
 * later. A late original can be mistaken for its repetition, and nothing else.
 */
import type { EndEvent, TraceEvent } from './trace-event.ts';

/** By `in` event. */
export type MessagePairs = ReadonlyMap<EndEvent, EndEvent>;

/** `errorUs`: how far the clocks of two nodes may differ after their alignment. */
export function pairMessages(events: readonly TraceEvent[], errorUs = 0): MessagePairs {
  const outs = new Map<string, EndEvent[]>();
  const ins: EndEvent[] = [];
  for (const event of events) {
    if (event.kind === 'in') ins.push(event);
    if (event.kind !== 'out') continue;
    const key = keyOf(event, event.node, event.peer);
    const known = outs.get(key);
    if (known === undefined) outs.set(key, [event]);
    else known.push(event);
  }
  ins.sort(inTime);
  for (const sent of outs.values()) sent.sort(inTime);
  const pairs = new Map<EndEvent, EndEvent>();
  for (const received of ins) {
    const sent = outs.get(keyOf(received, received.peer, received.node));
    if (sent === undefined) continue;
    // Within a node the order is known, whatever the times.
    const isLocal = received.peer === received.node;
    const at = sent.findLastIndex((out) =>
      isLocal ? inTime(out, received) < 0 : out.t <= received.t + errorUs,
    );
    if (at < 0) continue;
    pairs.set(received, sent[at] as EndEvent);
    sent.splice(at, 1);
  }
  return pairs;
}

/** Of one node: the order in which things happened. Many have the time of their turn. */
function inTime(a: TraceEvent, b: TraceEvent): number {
  return a.t - b.t || ('seq' in a && 'seq' in b ? a.seq - b.seq : 0);
}

function keyOf({ txn, msg, value }: EndEvent, from: number, to: number): string {
  return `${txn} ${msg} ${value} ${from} ${to}`;
}

/**
 * All events so that cause comes before effect: those of a node in their order, a message's receipt
 * after its sending. Times alone would not do, as clocks differ.
 */
export function causalOrder(events: readonly TraceEvent[], pairs: MessagePairs): TraceEvent[] {
  const queues = [...groupByNode(events).values()];
  const nexts = queues.map(() => 0);
  const given = new Set<TraceEvent>();
  const ordered: TraceEvent[] = [];
  const isFree = (event: TraceEvent): boolean => {
    const cause = event.kind === 'in' ? pairs.get(event) : undefined;
    return cause === undefined || given.has(cause);
  };
  while (ordered.length < events.length) {
    let best = -1;
    let isBestFree = false;
    for (const [index, queue] of queues.entries()) {
      const event = queue[nexts[index] as number];
      if (event === undefined) continue;
      const free = isFree(event);
      const other = best < 0 ? undefined : queues[best]?.[nexts[best] as number];
      const isEarlier = other === undefined || event.t < other.t;
      if ((free && !isBestFree) || (free === isBestFree && isEarlier)) {
        best = index;
        isBestFree = free;
      }
    }
    const next = queues[best]?.[nexts[best] as number] as TraceEvent;
    nexts[best] = (nexts[best] as number) + 1;
    given.add(next);
    ordered.push(next);
  }
  return ordered;
}

function groupByNode(events: readonly TraceEvent[]): Map<number, TraceEvent[]> {
  const byNode = new Map<number, TraceEvent[]>();
  for (const event of events) {
    const own = byNode.get(event.node);
    if (own === undefined) byNode.set(event.node, [event]);
    else own.push(event);
  }
  // Stable: events of one node without a number stay where the node has put them.
  for (const own of byNode.values()) own.sort(inTime);
  return byNode;
}
