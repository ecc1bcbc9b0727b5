/** A gateway with sockets, turns and a clock in the test's hands. */
import { NO_SETTINGS } from '../../../storage/cluster-settings.ts';
import { COMMANDS } from '../../../storage/commands/command-table.ts';
import { ProtectedMode } from '../../../transport/access/protected-mode.ts';
import type { ClientSocket } from '../../../transport/resp/connection/client-socket.ts';
import type { Connection } from '../../../transport/resp/connection/connection.ts';
import type { Part, ReplyFlow, StoreNews } from '../../../transport/resp/connection/part.ts';
import { Gateway } from '../../../transport/resp/gateway.ts';
import type {
  ClusterNode,
  GatewayServices,
  MemoryUse,
} from '../../../transport/resp/gateway-services.ts';
import type { InfoSections } from '../../../transport/resp/info.ts';
import type { GatewayLimits } from '../../../transport/resp/limits.ts';
import { NO_PEERS, type PubSubPeers } from '../../../transport/resp/pubsub/pubsub.ts';
import { SettingsRegistry } from '../../../transport/resp/settings-registry.ts';
import { MemoryCoordinator } from './memory-coordinator.ts';
import { SOLE_PLACEMENT } from './placements.ts';

export const MEMORY: MemoryUse = {
  allocatedBytes: 40_000_000,
  peakBytes: 50_000_000,
  startupBytes: 10_000_000,
  reservedBytes: 44_000_000,
  residentBytes: 48_000_000,
  retainedBytes: 1000,
  datasetBytes: 20_000_000,
  keys: 100,
};

/** Of a node about which nobody asks. */
export function idleServices(clock: GatewayServices['clock']): GatewayServices {
  return {
    clock,
    settings: new SettingsRegistry(),
    protectedMode: new ProtectedMode(false),
    clusterSettings: () => NO_SETTINGS.values,
    hasLease: () => true,
    clusterVersion: () => 0,
    passwordHash: '',
    aclFile: undefined,
    settingsHeld: () => true,
    info: () => ({}),
    holoStats: () => '',
    holoMetrics: () => '',
    cluster: () => ({ epoch: 1, nodes: [] }),
    memory: () => MEMORY,
    storeBytes: () => 0,
    bytesOf: () => 0,
    replicationOffset: () => 0,
    lastSaveSeconds: () => 0,
    phase: () => undefined,
    scriptLog: () => undefined,
    resetCounters: () => undefined,
    replicasAcknowledged: () => 0,
  };
}

export class FakeSocket implements ClientSocket {
  readonly remoteAddress: string;
  readonly localAddress = '127.0.0.1:6379';
  bufferedBytes = 0;
  readonly writes: string[] = [];
  paused = false;
  ended = false;
  destroyed = false;
  /** `write` then returns false, and the bytes written stay in `bufferedBytes`. */
  slow = false;

  constructor(port: number, host = '127.0.0.1') {
    this.remoteAddress = `${host}:${port}`;
  }

  /** All that was written since the last look. */
  get text(): string {
    return this.writes.splice(0).join('');
  }

  write(bytes: Uint8Array): boolean {
    if (this.destroyed) throw new Error('write after destroy');
    this.writes.push(Buffer.from(bytes).toString('latin1'));
    if (this.slow) this.bufferedBytes += bytes.length;
    return !this.slow;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

interface TestCoordinator {
  readonly submit: (part: Part) => boolean;
  answer: (news: StoreNews) => void;
  readonly flow?: (message: ReplyFlow) => void;
}

export interface HarnessClient {
  readonly socket: FakeSocket;
  readonly connection: Connection;
  send(text: string): void;
  /** Sends, ends the turn, and returns what came back. */
  ask(text: string): string;
}

export class Harness {
  readonly coordinator = new MemoryCoordinator();
  readonly settings = new SettingsRegistry();
  readonly protectedMode = new ProtectedMode(true);
  /** Credit that connections have given, and replies that they have abandoned. */
  readonly flows: ReplyFlow[] = [];
  readonly gateway: Gateway;
  nowMs = 1000;
  info: InfoSections = {};
  nodes: ClusterNode[] = [
    {
      ...{ id: 'a'.repeat(40), host: '127.0.0.1', port: 6379, self: true, online: true },
      slots: [{ first: 0, last: 16_383 }],
    },
  ];
  replicas = 1;
  /** Settings of the cluster that are known here, and the version that every node has. */
  clusterValues: () => ReadonlyMap<string, string> = () => NO_SETTINGS.values;
  hasLease = true;
  clusterVersion = (): number => 0;
  heldVersion = 0;
  readonly aclFile: { read(): string; write(text: string): undefined; text: string } = {
    text: '',
    read: () => this.aclFile.text,
    write: (text) => {
      this.aclFile.text = text;
    },
  };
  readonly passwordHash: string;
  memory = MEMORY;
  storeBytes = 0;
  /** By database and key. */
  readonly valueBytes = new Map<string, number>();
  /** Lines of `redis.log`. */
  readonly logged: string[] = [];
  /** Calls of CONFIG RESETSTAT. */
  resets = 0;
  /** Phases of units of the sample. */
  readonly phases: Array<{ readonly phase: string; readonly ms: number }> = [];
  /** Calls of HOLOSTATS. */
  statsCalls = 0;
  #isAwake = false;
  #port = 40_000;

  constructor(
    limits: Partial<GatewayLimits> = {},
    coordinator?: TestCoordinator,
    placement = SOLE_PLACEMENT,
    commands = COMMANDS,
    peers: PubSubPeers = NO_PEERS,
    passwordHash = '',
  ) {
    this.passwordHash = passwordHash;
    const { submit } = coordinator ?? this.coordinator;
    const executing: TestCoordinator = coordinator ?? this.coordinator;
    executing.answer = (news) => this.gateway.answered(news);
    this.gateway = new Gateway({
      limits,
      placement,
      commands,
      peers,
      submit,
      flow: (message) => {
        if (message.type !== 'TrackWrites') this.flows.push(message);
        executing.flow?.(message);
      },
      wake: () => {
        this.#isAwake = true;
      },
      services: {
        clock: {
          wallUs: () => 1_700_000_000_123_456 + this.nowMs * 1000,
          monotonicMs: () => this.nowMs,
        },
        settings: this.settings,
        protectedMode: this.protectedMode,
        clusterSettings: () => this.clusterValues(),
        hasLease: () => this.hasLease,
        clusterVersion: () => this.clusterVersion(),
        passwordHash: this.passwordHash,
        aclFile: this.aclFile,
        settingsHeld: (version) => version <= this.heldVersion,
        info: () => this.info,
        holoStats: () => {
          this.statsCalls += 1;
          return 'fast_path.count=1';
        },
        holoMetrics: () => 'holo_up 1\n',
        cluster: () => ({ epoch: 7, nodes: this.nodes }),
        memory: () => this.memory,
        storeBytes: () => this.storeBytes,
        bytesOf: (database, key) => this.valueBytes.get(`${database} ${key}`) ?? 0,
        replicationOffset: () => 4321,
        lastSaveSeconds: () => 1_700_000_000,
        scriptLog: (level, text) => void this.logged.push(`${level} ${text}`),
        phase: (phase, ms) => this.phases.push({ phase, ms }),
        resetCounters: () => {
          this.resets += 1;
        },
        replicasAcknowledged: () => this.replicas,
      },
    });
  }

  /** Ends the turn, and those that it brings about. */
  endTurn(): void {
    for (let rounds = 0; this.#isAwake; rounds += 1) {
      if (rounds > 10_000) throw new Error('the turn does not end');
      this.#isAwake = false;
      this.gateway.flush();
    }
  }

  tick(ms: number): void {
    this.nowMs += ms;
    this.gateway.onTick();
    this.endTurn();
  }

  client(): HarnessClient {
    const socket = new FakeSocket(this.#port++);
    const connection = this.gateway.attach(socket);
    if (connection === undefined) throw new Error('the gateway is full');
    const send = (text: string): void => connection.onData(Buffer.from(text, 'latin1'));
    return {
      socket,
      connection,
      send,
      ask: (text) => {
        send(text);
        this.endTurn();
        return socket.text;
      },
    };
  }
}

/** Request arrays, one per line of words. */
export function request(...lines: readonly string[]): string {
  return lines.map((line) => array(...line.split(' '))).join('');
}

export function array(...words: readonly string[]): string {
  const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join('')}`;
}
