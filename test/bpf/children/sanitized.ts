/**
 * Drives the addon of a directory, as sanitizers watch it: sockets, batches, the kernel part where
 * this machine can, and arguments that are wrong. Prints the tier that it has reached.
 */

import { socketAddress } from '../../../bpf/frame/layout.ts';
import { artifactsIn, loadAddon } from '../../../bpf/native/native.ts';
import { probe } from '../../../bpf/native/probe.ts';

const artifacts = artifactsIn(process.argv[2] ?? '');
const { addon, reason } = loadAddon(artifacts);
if (addon === undefined) throw new Error(reason);
const ADDRESS = '127.0.0.1';
const [one, two] = [0, 0].map(() => addon.udpSocket(ADDRESS, 0, 1 << 16, 1 << 16));
if (one === undefined || two === undefined) throw new Error('no sockets');
const to = socketAddress(ADDRESS, two.port);
const buffer = new Uint8Array(2_000);
for (const bytes of [0, 1, 80, 1_472]) {
  const frame = new Uint8Array(bytes).fill(7);
  addon.sendTo(one.fd, frame, frame.length, to);
  if (addon.receive(two.fd, buffer, 1_000)?.length !== bytes) throw new Error(`${bytes} bytes`);
}
const frames = Buffer.alloc(3 * 80, 1);
const lengths = new Uint8Array(Uint32Array.from([80, 80, 80]).buffer);
addon.sendBatch(one.fd, frames, lengths, Buffer.concat([to, to, to]), 3);
addon.sendMany(one.fd, frames, 80, Buffer.concat([to, to]), 2);
for (let count = 0; count < 5; count += 1) addon.receive(two.fd, buffer, 1_000);
const wrong: readonly (() => unknown)[] = [
  () => addon.sendTo(one.fd, frames, frames.length + 1, to),
  () => addon.sendTo(one.fd, frames, 80, to.subarray(0, 3)),
  () => addon.sendTo(-1, frames, 80, to),
  () => addon.sendMany(one.fd, frames, 80, to, 2),
  () => addon.sendBatch(one.fd, frames, lengths.subarray(0, 4), Buffer.concat([to, to, to]), 3),
  () => addon.sendBatch(one.fd, frames.subarray(0, 90), lengths, Buffer.concat([to, to, to]), 3),
  () => addon.udpSocket('no address', 0, 0, 0),
  () => addon.open('/nonexistent.o'),
];
let refused = 0;
for (const call of wrong) {
  try {
    const outcome = call();
    if (typeof outcome === 'number' && outcome <= 0) refused += 1;
  } catch {
    refused += 1;
  }
}
if (refused !== wrong.length) throw new Error(`${wrong.length - refused} wrong calls were taken`);
for (const { fd } of [one, two]) addon.closeFd(fd);
console.log(`tier ${probe(artifacts).tier}`);
