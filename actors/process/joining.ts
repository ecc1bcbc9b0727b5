/**
 * `--join` of a node that is none of those of the beginning: it asks a running cluster for an id,
 * once in its life. From then on its data directory says who it is and where the others are;
 * `--join` is only where else to ask.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { BEHAVIOUR_LEVEL } from '../../storage/behaviour-level.ts';
import { type Endpoint, formatEndpoint, isWildcard } from '../../transport/endpoint.ts';
import {
  decodeGreeting,
  type JoinAnswer,
  type JoinRequest,
} from '../../transport/peer/handshake.ts';
import { NO_CLUSTER, type PeerSecurity } from '../../transport/peer/security/peer-security.ts';
import type { NodePlaces } from '../meta/topology.ts';
import { joinedBefore, joinIdOf } from './disk/data-directory.ts';
import { askPeerPort } from './peer-question.ts';
import { PeerProof } from './security/peer-proof.ts';
import type { NodeConfig } from './settings/config.ts';
import { VERSION } from './version.ts';

class JoinError extends Error {
  readonly code = 'HOLO_JOIN_REFUSED';

  constructor(message: string) {
    super(message);
    this.name = 'JoinError';
  }
}

interface AskOptions {
  readonly seeds: readonly Endpoint[];
  readonly request: JoinRequest;
  readonly security: PeerSecurity;
  /** How long a cluster may take to answer. */
  readonly timeoutMs: number;
  readonly pauseMs: number;
}

const ANSWER_MS_MAX = 12_000;
const JOIN_MS_MAX = 60_000;
const PAUSE_MS = 500;
/** Said of a node that cannot decide itself: another one may. */
const ELSEWHERE = /no member of the meta group|no answer in time|not been formed/;

/** The settings of the node that this one has become. */
export async function joinedConfig(given: NodeConfig, logger: Logger): Promise<NodeConfig> {
  const known = joinedBefore(given.dataDir) ?? (await ask(given, logger));
  const { nodeId, clusterId, members } = known;
  if (given.nodeId !== 0 && given.nodeId !== nodeId) {
    throw new JoinError(`--node-id ${given.nodeId}: this node has joined as node ${nodeId}`);
  }
  const { host, port } = placesOf(given);
  const all = [...members.filter(({ id }) => id !== nodeId), { id: nodeId, host, port }];
  const initialMembers = all.sort((a, b) => a.id - b.id);
  const electorate = members.map(({ id }) => id).sort((a, b) => a - b);
  return Object.freeze({ ...given, nodeId, initialMembers, electorate, joinedCluster: clusterId });
}

async function ask(given: NodeConfig, logger: Logger): Promise<JoinAnswer> {
  const { security } = new PeerProof(given, NO_CLUSTER, logger);
  const request = { joinId: joinIdOf(given.dataDir), nodeId: given.nodeId, ...placesOf(given) };
  const seeds = given.join;
  const where = seeds.map(formatEndpoint).join(', ');
  logger.info({ seeds: where }, `asking ${where} for an id`);
  const times = { timeoutMs: JOIN_MS_MAX, pauseMs: PAUSE_MS };
  const answer = await askUntil({ seeds, request, security, ...times });
  logger.info({ id: answer.nodeId }, `this is node ${answer.nodeId} of the cluster`);
  return answer;
}

/** Where others reach a node with these settings, and what its release knows. */
export function placesOf(config: NodeConfig): NodePlaces {
  const { nodeId, initialMembers, listenPeer, listenRedis, listenAdmin } = config;
  const own = initialMembers.find(({ id }) => id === nodeId);
  const { host, port } = config.announcePeer ?? own ?? listenPeer;
  const clients = isWildcard(listenRedis.host) ? { host, port: listenRedis.port } : listenRedis;
  const redis = formatEndpoint(config.announceRedis ?? clients);
  const admin = formatEndpoint(listenAdmin);
  return { host, port, redis, admin, version: VERSION, behaviourMax: BEHAVIOUR_LEVEL };
}

/** One after the other, until one has decided. */
async function askUntil(options: AskOptions): Promise<JoinAnswer> {
  const { seeds, timeoutMs, pauseMs } = options;
  const deadline = performance.now() + timeoutMs;
  for (let at = 0; ; at += 1) {
    const seed = seeds[at % seeds.length] as Endpoint;
    let why: string;
    try {
      const answer = await askOnce(options, seed);
      if (typeof answer !== 'string') return answer;
      why = answer;
      if (!ELSEWHERE.test(why)) throw new JoinError(`${formatEndpoint(seed)}: ${why}`);
    } catch (error) {
      if (error instanceof JoinError) throw error;
      why = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() >= deadline) {
      throw new JoinError(`no member let this node join within ${timeoutMs} ms (${why})`);
    }
    await sleep(pauseMs);
  }
}

/** The answer, or why there is none. */
async function askOnce(
  { request, security }: AskOptions,
  seed: Endpoint,
): Promise<JoinAnswer | string> {
  const greeting = { kind: 'join', request } as const;
  const reply = await askPeerPort({ seed, greeting, security, silentMsMax: ANSWER_MS_MAX });
  const result = decodeGreeting(reply);
  if (result.status !== 'complete') throw new Error('it is no peer port of a node');
  const { kind } = result.greeting;
  if (kind === 'joined') return result.greeting.answer;
  if (kind === 'refused') return result.greeting.reason;
  throw new Error(`it answered with "${kind}"`);
}
