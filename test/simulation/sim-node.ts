/**
 * One simulated machine: a disk and an engine that survive crashes, a clock of its own, and the
 * real node (`actors/node.ts`) as long as it is up.
 */
import type { NodeLimits, NodeObserver } from '../../actors/node.ts';
import { Node } from '../../actors/node.ts';
import type { ReplicaWatermarks } from '../../actors/replica-actor.ts';
import type { SystemFailure } from '../../actors/runtime/actor-system.ts';
import type { Clock, Scheduler } from '../../actors/runtime/ports.ts';
import type { SeededRng } from '../../actors/runtime/seeded-rng.ts';
import { TraceRecorder } from '../../actors/runtime/trace-recorder.ts';
import { MemoryEngine, MemoryStore } from '../../storage/engine/memory-engine.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import type { CommandUnit } from '../../transport/resp/command-unit.ts';
import type { SyncPolicyName } from '../../wal/sync-policy.ts';
import { WriteAheadLog } from '../../wal/write-ahead-log.ts';
import { SimDisk } from './sim-disk.ts';
import type { SimNetwork } from './sim-network.ts';

export interface SimNodeOptions {
  readonly nodeId: number;
  readonly members: readonly number[];
  readonly electorate: readonly number[];
  readonly rng: SeededRng;
  readonly network: SimNetwork;
  /** A scheduler that dies with the incarnation. */
  readonly scope: () => Scheduler;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly syncPolicy: SyncPolicyName;
  readonly diskLatencyMs: () => number;
  readonly onFailed: (node: SimNode, failure: SystemFailure) => void;
  readonly count: (what: string) => void;
}

const SEGMENT_BYTES = 256 * 1024;
const SIM_DIRECTORY = 'wal';

export class SimNode {
  readonly id: number;
  readonly disk: SimDisk;
  readonly store = new MemoryStore();
  /** The state machine of the present incarnation, as of its last report. */
  machine: StateMachine | undefined;
  watermarks: ReplicaWatermarks | undefined;
  recorder: TraceRecorder | undefined;
  ready = false;
  #options: SimNodeOptions;
  #node: Node | undefined;
  #scope: Scheduler | undefined;

  constructor(options: SimNodeOptions) {
    this.#options = options;
    this.id = options.nodeId;
    const life = options.scope();
    this.disk = new SimDisk({
      schedule: (delayMs, callback) => {
        life.after(delayMs, callback);
      },
      rng: options.rng.fork(),
      latencyMs: options.diskLatencyMs,
    });
  }

  get node(): Node | undefined {
    return this.#node;
  }

  get up(): boolean {
    return this.#node !== undefined;
  }

  start(): void {
    const options = this.#options;
    const { nodeId, members, electorate, clock, limits } = options;
    const scope = options.scope();
    this.#scope = scope;
    const rng = options.rng.fork();
    this.recorder = new TraceRecorder({ clock, node: nodeId, eventsMax: 4_096 });
    const newLogId = Uint8Array.from({ length: 16 }, () => Math.floor(rng.next() * 256));
    const sizes = { segmentBytes: SEGMENT_BYTES, batchBytesMax: 64 * 1024 };
    this.#node = new Node({
      nodeId,
      members,
      electorate,
      clock,
      rng,
      scheduler: scope,
      recorder: this.recorder,
      network: options.network.attach(nodeId),
      wal: {
        open: (onRecord) =>
          WriteAheadLog.open(this.disk, SIM_DIRECTORY, { newLogId, ...sizes }, onRecord),
        policy: { name: options.syncPolicy },
      },
      openEngine: () =>
        new MemoryEngine({
          store: this.store,
          defer: (callback) => {
            scope.after(0.1, callback);
          },
        }),
      limits,
      observer: this.#observer(),
      onFailed: (failure) => options.onFailed(this, failure),
    });
  }

  #observer(): NodeObserver {
    const { count } = this.#options;
    return {
      ready: () => {
        this.ready = true;
      },
      watermarks: (watermarks) => {
        this.watermarks = watermarks;
      },
      decided: (path) => count(path),
      batch: (kind) => count(`${kind} batch`),
      units: () => undefined,
      machine: (machine) => {
        this.machine = machine;
      },
      peerUp: () => undefined,
      peerDown: () => undefined,
      peerRefused: () => undefined,
    };
  }

  submit(unit: CommandUnit): boolean {
    return this.#node?.coordinator.tell({ type: 'Unit', unit }) ?? false;
  }

  /** Power loss: nothing more runs, what was not synced is lost or torn. */
  crash(kind: 'power' | 'process' = 'power'): void {
    this.#scope?.close();
    this.#scope = undefined;
    this.#node = undefined;
    this.machine = undefined;
    this.watermarks = undefined;
    this.ready = false;
    this.#options.network.detach(this.id);
    this.disk.crash(kind);
  }
}
