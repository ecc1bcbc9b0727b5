/**
 * A coordinator in a process of its own (another network namespace, another user, or to be killed):
 * opens the kernel part, runs rounds against echo peers, prints one line of JSON.
 */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import type { GroupMember } from '../../../bpf/frame/layout.ts';
import { KernelHoloFast, type KernelOptions } from '../../../bpf/native/holofast.ts';
import { loadAddon } from '../../../bpf/native/native.ts';
import { FanOutKeeper } from '../../../bpf/path/fan-out-keeper.ts';
import { UdpLink } from '../../../bpf/path/udp-link.ts';
import { type RoundPlan, runRounds } from '../round-runner.ts';
import { bitmap, keyBytes } from '../support.ts';

export interface CoordinatorPlan extends Pick<KernelOptions, 'interfaceName' | 'address' | 'port'> {
  readonly pinned?: string;
  readonly fanIn?: 'socket' | 'xdp' | 'xdp-generic';
  readonly fanOut?: 'auto' | 'tcx' | 'clsact';
  readonly members: readonly GroupMember[];
  readonly rounds: number;
  readonly need: number;
  readonly bodyBytes: number;
  /** Runs this before the round in the middle, and keeps the fan-out from then on. */
  readonly remove?: readonly string[];
  /** Print the program's id and wait to be killed. */
  readonly hold?: boolean;
}

const group = 1;
const neighbourTries = 100;
const keepEveryRounds = 10;

/** Ethernet addresses of members are known once something was sent to them. */
async function resolveNeighbours(kernel: KernelHoloFast, plan: CoordinatorPlan): Promise<boolean> {
  if (kernel.setGroup(group, plan.members)) return true;
  const socket = createSocket('udp4');
  for (const { port, address } of plan.members) socket.send('?', port, address);
  let ready = false;
  for (let i = 0; i < neighbourTries && !ready; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    ready = kernel.refreshNeighbours() === 1;
  }
  socket.close();
  return ready;
}

function remove({ remove: [command, ...args] = [] }: CoordinatorPlan): void {
  if (command === undefined) return;
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

async function main(plan: CoordinatorPlan): Promise<void> {
  const { addon, reason } = loadAddon();
  if (addon === undefined) throw new Error(reason);
  const { pinned, fanIn, fanOut, interfaceName, address, port } = plan;
  const kernel = KernelHoloFast.open({
    addon,
    interfaceName,
    address,
    port,
    keys: [keyBytes],
    firstGeneration: 1,
    ...(pinned === undefined ? {} : { pinned }),
    ...(fanIn === undefined ? {} : { fanIn }),
    ...(fanOut === undefined ? {} : { fanOut }),
  });
  if (plan.hold === true) {
    console.log(JSON.stringify({ program: kernel.fanOutProgramId(), fanOut: kernel.fanOut }));
    setInterval(() => {}, 1000);
    return;
  }
  const link = await UdpLink.open({
    address,
    port,
    keys: [keyBytes],
    addon,
    kernel,
    notifier: kernel.notifier,
    onFrame: () => {},
  });
  const ready = await resolveNeighbours(kernel, plan);
  link.setGroup(group, plan.members);
  const keeper = new FanOutKeeper({
    kernel,
    link,
    onReattached: () => undefined,
    onRefused: (why) => console.error(why),
  });
  const rounds: RoundPlan = {
    rounds: plan.rounds,
    inFlight: 8,
    group,
    electorate: bitmap(plan.members.map((member) => member.sender)),
    need: plan.need,
    bodyBytes: plan.bodyBytes,
    beforeSend: (round) => {
      if (round === Math.floor(plan.rounds / 2)) remove(plan);
      if (round % keepEveryRounds === 0) keeper.refresh();
    },
  };
  const outcome = await runRounds(link, kernel.notifier, rounds);
  const tooLarge = link.sendGroup(new Uint8Array(kernel.frameBytesMax + 1), group);
  const counters = kernel.counters();
  const { reattached } = keeper;
  const result = { ready, outcome, counters, fanOut: kernel.fanOut, tooLarge, reattached };
  console.log(JSON.stringify({ ...result, frameBytesMax: kernel.frameBytesMax }));
  await link.close();
  kernel.close();
}

await main(JSON.parse(process.argv[2] ?? '{}'));
