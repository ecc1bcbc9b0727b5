/**
 * `--join`: asks a running member, on its peer or admin port, for the list of members. Membership
 * is fixed when a cluster is formed, so joining means checking that this node is one of them before
 * it creates a data directory.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Endpoint, formatEndpoint } from '../../transport/endpoint.ts';
import { httpGet } from '../../transport/http/http-get.ts';
import {
  decodeGreeting,
  isMembersAnswer,
  type MembersAnswer,
} from '../../transport/peer/handshake.ts';
import { OPEN, type PeerSecurity } from '../../transport/peer/security/peer-security.ts';
import { askPeerPort } from './peer-question.ts';

class MembershipError extends Error {
  readonly code: 'HOLO_JOIN_UNREACHABLE' | 'HOLO_JOIN_NOT_A_MEMBER' | 'HOLO_JOIN_OTHER_CLUSTER';

  constructor(code: MembershipError['code'], message: string) {
    super(message);
    this.name = 'MembershipError';
    this.code = code;
  }
}

interface InquiryOptions {
  readonly seed: Endpoint;
  readonly nodeId: number;
  readonly clusterId: string;
  /** Proves this node to the seed; nothing does by default. */
  readonly security?: PeerSecurity;
  /** How long the seed may take to come up. Default 30,000. */
  readonly timeoutMs?: number;
  readonly pauseMs?: number;
}

const ANSWER_TIMEOUT_MS = 2000;
/** How the answer of an admin port begins. */
const HTTP_ANSWER = Buffer.from('HTTP/');

/** @throws MembershipError when the seed does not answer in time, or does not know this node. */
export async function confirmMembership(options: InquiryOptions): Promise<void> {
  const { seed, nodeId, clusterId } = options;
  const where = formatEndpoint(seed);
  const answer = await askUntil(options, where);
  const members = answer.members.map((each) => `${each.id}@${formatEndpoint(each)}`).join(',');
  if (!answer.members.some((member) => member.id === nodeId)) {
    throw new MembershipError(
      'HOLO_JOIN_NOT_A_MEMBER',
      `node ${nodeId} is not a member of the cluster at ${where}, whose members are ${members}; ` +
        'membership is fixed when a cluster is formed, so --node-id must be one of them',
    );
  }
  if (answer.clusterId !== clusterId) {
    throw otherCluster(where);
  }
}

function otherCluster(where: string): MembershipError {
  return new MembershipError(
    'HOLO_JOIN_OTHER_CLUSTER',
    `--initial-members or --electorate differ from those of the cluster at ${where}: give the same on every node`,
  );
}

async function askUntil(options: InquiryOptions, where: string): Promise<MembersAnswer> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = performance.now() + timeoutMs;
  while (true) {
    try {
      return await askMembers(options);
    } catch (error) {
      if (error instanceof MembershipError) throw error;
      if (performance.now() >= deadline) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new MembershipError(
          'HOLO_JOIN_UNREACHABLE',
          `no member answered at ${where} within ${timeoutMs} ms (${reason}): is one running, and ` +
            'is that its peer or admin port?',
        );
      }
    }
    await sleep(options.pauseMs ?? 500);
  }
}

async function askMembers(options: InquiryOptions): Promise<MembersAnswer> {
  const { seed } = options;
  const reply = await askSeed(options);
  const result = decodeGreeting(reply);
  if (result.status === 'complete' && result.greeting.kind === 'members') {
    return result.greeting.answer;
  }
  // The question can be refused for one reason only: the cluster has another name there.
  if (result.status === 'complete' && result.greeting.kind === 'refused') {
    throw otherCluster(formatEndpoint(seed));
  }
  if (!reply.toString('latin1', 0, 5).startsWith('HTTP/')) {
    throw new Error('it is no peer or admin port of a node');
  }
  const { body, status: code } = await httpGet(seed, '/status', ANSWER_TIMEOUT_MS);
  if (code === 401) throw new Error('its admin port shows nothing: give its peer port');
  const status = parseJson(body);
  if (!isMembersAnswer(status)) {
    throw new Error('it is no admin port of a node');
  }
  return status;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The bytes that come back; an admin port answers the unknown protocol with an HTTP error. */
async function askSeed({ seed, clusterId, security = OPEN }: InquiryOptions): Promise<Buffer> {
  const greeting = { kind: 'whoIsThere', clusterId } as const;
  try {
    return await askPeerPort({ seed, greeting, security, silentMsMax: ANSWER_TIMEOUT_MS });
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
    // An admin port answers TLS, too, with an HTTP error.
    if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return HTTP_ANSWER;
    throw error;
  }
}
