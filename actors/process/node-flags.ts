/**
 * The flags of Node.js with which a node's process is run. The first line of `main.ts` has them
 * too, for `holostore` as a command by itself.
 */
export const NODE_FLAGS: readonly string[] = [
  /*
   * A larger young generation: what a batch allocates dies there instead of being copied. Measured
   * on executing commands (test/bench/storage.ts): a quarter to two fifths more of them a second.
   */
  '--max-semi-space-size=64',
  /*
   * No full collection below this size. The heap of a node with little data is 25 MB, and V8 would
   * mark all of it for each 24 MB of buffers: with values of 1 MiB half of the node's CPU.
   */
  '--initial-heap-size=128',
];
