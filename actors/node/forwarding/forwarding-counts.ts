/** The parts that a node has forwarded since its start, for people. */
export interface ForwardingCounts {
  /** Handed to a member, each time. */
  sent: number;
  /** Taken from a node that is no member. */
  taken: number;
  /** Handed to another member, since one had not begun it, or was lost with a read. */
  retried: number;
  /** Writes whose member was lost. */
  indeterminate: number;
}

export function noForwards(): ForwardingCounts {
  return { sent: 0, taken: 0, retried: 0, indeterminate: 0 };
}
