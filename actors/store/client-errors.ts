/**
 * The error replies to a client that gets no result. The first words are stable (docs/errors.md).
 * "refused": nothing happened. "indeterminate": it may have happened, or may yet.
 */

export const REFUSED = {
  clock: (complaint: string): string => `CLOCK refused, nothing was done: ${complaint}`,
  quorum: 'NOQUORUM refused, nothing was done: this node cannot reach a majority of its peers',
  timeout: 'TIMEOUT refused, nothing was done: the command waited too long for its turn',
  moved: 'TRYAGAIN refused, nothing was done: the ranges that it needs are changing',
  invalidated: 'TRYAGAIN refused, nothing was done: the transaction was invalidated',
  read: 'TIMEOUT refused, nothing was read: a majority did not answer in time',
  busy: 'BUSY refused, nothing was done: too many commands are waiting',
  tooLarge: 'TOOLARGE refused, nothing was done: it exceeds what one transaction may hold',
  listing: 'TRYAGAIN refused, nothing was read: too many keys changed while they were listed',
  diskFull: 'DISKFULL refused, nothing was done: the disk of this node is full; reads still work',
  backlog:
    'BACKLOG refused, nothing was done: too much is kept for a member that is away, and the meta group has no quorum',
  stopping: 'SHUTDOWN refused, nothing was done: this node is stopping',
  restarted: 'INTERRUPTED refused, nothing was done: a part of this node was restarted',
} as const;

export const INDETERMINATE = {
  timeout:
    'TIMEOUT indeterminate, it may have been done or may yet be: no majority answered in time',
  restarted: 'INTERRUPTED indeterminate, it may have been done: a part of this node was restarted',
  stopping: 'SHUTDOWN indeterminate, it may have been done: this node is stopping',
  member: 'INTERRUPTED indeterminate, it may have been done: the node that ran it was lost',
} as const;

/** Refused for a reason of that node alone: another member may do it. */
const OF_ONE_NODE = /^(?:BACKLOG|BUSY|CLOCK|DISKFULL|INTERRUPTED|NOQUORUM|SHUTDOWN) refused/;

export function mayRunElsewhere(line: string): boolean {
  return OF_ONE_NODE.test(line);
}
