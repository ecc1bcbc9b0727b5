/**
 * The path for frames in virtual time: frames share a simulated link with the messages of the peer
 * protocol, in its weather, and are told from them by their magic number. The userspace notifier
 * counts, or nothing does and every reply comes up; everything else is the node's own code.
 */

import { UserspaceQuorumNotifier } from '../../bpf/count/quorum-notifier.ts';
import { consumes } from '../../bpf/count/slot-model.ts';
import { FRAME_FLAG, FRAME_HEADER_BYTES, frameFlags, isFrame } from '../../bpf/frame/frame.ts';
import { sipKey } from '../../bpf/frame/siphash.ts';
import type { FramePath, FramePathSource } from '../../bpf/path/frame-path.ts';
import type { PeerHandler, PeerNetwork } from '../../transport/peer/network.ts';

const key = sipKey(Uint8Array.from({ length: 16 }, (_, index) => index));
const frameBytesMax = 1_472;

/** counted: as in tiers 0 and 1. alone: the same frames without counting. */
export type SimFrames = 'counted' | 'alone';

export interface SimWiring {
  readonly network: PeerNetwork;
  readonly frames: FramePathSource;
}

export function framesOver(
  network: PeerNetwork,
  self: number,
  members: readonly number[],
  how: SimFrames,
): SimWiring {
  const sorted = [...members].sort((a, b) => a - b);
  let onFrame: ((frame: Uint8Array, sender: number) => void) | undefined;
  let notifier: UserspaceQuorumNotifier | undefined;
  let generation = 1;

  function received(peer: number, frame: Uint8Array): void {
    const isPlain = frame.length === FRAME_HEADER_BYTES && frameFlags(frame) === FRAME_FLAG.plain;
    if (how === 'counted' && isPlain && notifier !== undefined) {
      const verdict = notifier.receive(frame);
      if (verdict === 'quorum') notifier.flush();
      if (consumes(verdict)) return;
    }
    onFrame?.(frame, sorted.indexOf(peer));
  }

  function open(): FramePath {
    const counts = new UserspaceQuorumNotifier({ firstGeneration: generation, slots: 64 });
    generation += 2 ** 20;
    notifier = counts;
    return {
      notifier: counts,
      key: () => key,
      frameBytesMax,
      sendGroup(frame) {
        for (const peer of sorted) if (peer !== self) network.send(peer, [frame]);
        return true;
      },
      send: (frame, sender) => network.send(sorted[sender] ?? -1, [frame]),
      refresh: () => undefined,
      close: () => {
        onFrame = undefined;
        notifier = undefined;
      },
    };
  }

  return {
    network: {
      start: (handler: PeerHandler) =>
        network.start({
          onUp: (peer) => handler.onUp(peer),
          onDown: (peer, reason) => handler.onDown(peer, reason),
          onRefused: (peer, reason) => handler.onRefused(peer, reason),
          onFrame: (peer, frame) => {
            if (isFrame(frame)) received(peer, frame);
            else handler.onFrame(peer, frame);
          },
        }),
      send: (peer, parts) => network.send(peer, parts),
      queuedBytes: (peer) => network.queuedBytes(peer),
      disconnect: (peer, reason) => network.disconnect(peer, reason),
      close: () => network.close(),
    },
    frames: {
      members: sorted,
      open(handler, onOpened) {
        onFrame = handler;
        onOpened(open());
      },
    },
  };
}
