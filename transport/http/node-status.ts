/**
 * The answer to /status: the JSON that holoctl reads. Fields are added, never removed.
 */
interface MemberStatus {
  readonly id: number;
  /** The address at which its peers reach it. */
  readonly host: string;
  readonly port: number;
  /** As this node sees it: the link stands, or it is this node itself. */
  readonly alive: boolean;
}

interface PathCounts {
  readonly fast: number;
  readonly slow: number;
  readonly recovered: number;
  readonly invalidated: number;
}

/** How small messages travel between the nodes. */
export interface HoloFastStatus {
  /** The setting. */
  readonly mode: string;
  /** The tier that runs: off, userspace, sendmmsg or kernel. */
  readonly tier: string;
  /** Why no higher tier runs. */
  readonly reason: string;
  /** Quorums that were counted below the actors. */
  readonly quorums: number;
  readonly counters: Readonly<Record<string, number>>;
}

export interface NodeStatus {
  readonly node: number;
  readonly version: string;
  readonly clusterId: string;
  readonly formedId: string;
  readonly incarnation: number;
  /** `undefined` when ready, else what is missing. */
  readonly notReady?: string;
  /** `ok`, or its problems: `log full, store full`. */
  readonly disk?: string;
  /** `ok`, or that data may not grow. */
  readonly memory?: string;
  readonly uptimeMs: number;
  /** The address for Redis clients, `host:port`. */
  readonly redis: string;
  readonly admin: string;
  /** Connections from other machines are refused as long as there are no passwords. */
  readonly protectedMode?: boolean;
  /** The default user needs a password, or is off. */
  readonly passwords?: boolean;
  /** The proof that peers give: `secret`, `certificates`, or none, `open`. */
  readonly peers?: string;
  readonly members: readonly MemberStatus[];
  /** All transactions below this time are applied here: microseconds since the Unix epoch. */
  readonly appliedWatermarkUs: number;
  /** Number of transactions applied here. */
  readonly appliedSequence: number;
  readonly paths: PathCounts;
  readonly holofast?: HoloFastStatus;
  readonly keys: number;
  readonly clients: number;
  readonly commandsTotal: number;
}

/** Checks what holoctl relies on; unknown fields are fine. */
export function isNodeStatus(value: unknown): value is NodeStatus {
  if (typeof value !== 'object' || value === null) return false;
  const status = value as Partial<Record<keyof NodeStatus, unknown>>;
  const paths = status.paths as Partial<PathCounts> | undefined;
  return (
    typeof status.node === 'number' &&
    typeof status.clusterId === 'string' &&
    typeof status.redis === 'string' &&
    typeof status.appliedSequence === 'number' &&
    typeof status.appliedWatermarkUs === 'number' &&
    typeof status.keys === 'number' &&
    typeof paths?.fast === 'number' &&
    typeof paths.slow === 'number' &&
    typeof paths.recovered === 'number' &&
    typeof paths.invalidated === 'number' &&
    Array.isArray(status.members)
  );
}
