/** Runs rounds through a link and a notifier, so many in flight, as a coordinator would. */

import { population } from '../../actors/accord/primitives/bit-set.ts';
import type { QuorumNotifier, QuorumSlot } from '../../bpf/count/quorum-notifier.ts';
import { encodeFrame, FrameKind, frameRound } from '../../bpf/frame/frame.ts';
import type { GroupSend, UdpLink } from '../../bpf/path/udp-link.ts';
import { header, key } from './support.ts';

export interface RoundPlan {
  readonly rounds: number;
  readonly inFlight: number;
  readonly group: number;
  readonly electorate: number;
  readonly need: number;
  readonly bodyBytes: number;
  readonly sender?: number;
  /** A round without its quorum is given up after this, and counted as lost. */
  readonly timeoutMs?: number;
  /** Called before each send, with the round's number. */
  readonly beforeSend?: (round: number) => void;
}

export interface RoundOutcome {
  quorums: number;
  lost: number;
  /** Events with too few votes, votes of strangers, or for a round that is over. */
  wrong: number;
  readonly sends: Partial<Record<GroupSend, number>>;
}

export function runRounds(
  link: UdpLink,
  notifier: QuorumNotifier,
  plan: RoundPlan,
): Promise<RoundOutcome> {
  const outcome: RoundOutcome = { quorums: 0, lost: 0, wrong: 0, sends: {} };
  const body = new Uint8Array(plan.bodyBytes).fill(0x42);
  const live = new Map<number, { slot: QuorumSlot; startedMs: number }>();
  const timeoutMs = plan.timeoutMs ?? 3000;
  let begun = 0;
  const begin = (): void => {
    const txn = { hlc: begun + 1, flags: 0, node: plan.sender ?? 0, store: 0 };
    const fields = header({ txn, group: plan.group, sender: plan.sender ?? 0, need: plan.need });
    const slot = notifier.arm({
      group: plan.group,
      electorate: plan.electorate,
      need: plan.need,
      replyKind: FrameKind.preAcceptSame,
      round: frameRound(encodeFrame(fields, key)),
    });
    if (slot === undefined) throw new Error('no free slot');
    plan.beforeSend?.(begun);
    begun += 1;
    live.set(slot.slot, { slot, startedMs: performance.now() });
    const sent = link.sendGroup(encodeFrame({ ...fields, ...slot }, key, body), plan.group, slot);
    outcome.sends[sent] = (outcome.sends[sent] ?? 0) + 1;
  };
  return new Promise((resolve) => {
    const end = (slot: QuorumSlot): void => {
      live.delete(slot.slot);
      notifier.release(slot);
      if (begun < plan.rounds) begin();
      else if (live.size === 0) {
        clearInterval(timer);
        resolve(outcome);
      }
    };
    notifier.onQuorum = (batch) => {
      for (const event of batch) {
        const right =
          live.get(event.slot)?.slot.generation === event.generation &&
          population(event.votes) >= plan.need &&
          (event.votes & ~plan.electorate) === 0;
        if (!right) outcome.wrong += 1;
        outcome.quorums += 1;
        end(event);
      }
    };
    const timer = setInterval(() => {
      const now = performance.now();
      for (const { slot, startedMs } of [...live.values()]) {
        if (now - startedMs < timeoutMs) continue;
        outcome.lost += 1;
        end(slot);
      }
    }, 50);
    for (let i = 0; i < plan.inFlight && begun < plan.rounds; i += 1) begin();
  });
}
