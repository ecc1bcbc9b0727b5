/**
 * The clients' side of a simulated node, in the place of its gateway: gives parts their units, takes
 * their answers, piece by piece, and hands each client its own.
 */
import type { Timestamp } from '../../actors/accord/primitives/timestamp.ts';
import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import type { ActorRef } from '../../actors/runtime/actor-ref.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import type {
  Part,
  PartAnswer,
  PartReplies,
  ReplyFlow,
  StoreNews,
} from '../../transport/resp/connection/part.ts';
import { UnitUnderWay } from '../../transport/resp/connection/unit-under-way.ts';
import { type ClientUnit, failure, pieceOf } from './client.ts';
import { isListing, type ReplyJudge } from './reply-judge.ts';

interface SimClientsOptions {
  readonly window: number;
  /** When the transaction that is being executed executes. */
  readonly executing: (client: SimClient) => Timestamp | undefined;
  /** Of the KEYS whose listing has just ended. */
  readonly listed: (client: SimClient) => Timestamp | undefined;
  /** The node has stopped within a turn: nothing that it executes leaves it. */
  readonly frozen: () => boolean;
  /** So many commands behind those of the unit are to have answered nothing. */
  readonly answered: (client: SimClient, replies: Buffer, silent?: number) => void;
  readonly flow: (message: ReplyFlow) => void;
}

export interface SimClient {
  readonly unit: ClientUnit;
  readonly groups: readonly GroupId[];
  readonly judge: ReplyJudge;
  readonly underWay: UnitUnderWay;
  readonly tell: (part: Part) => boolean;
  /** It must execute after this. */
  readonly floor: Timestamp;
  readonly replies: Uint8Array[];
  /** When its transaction executed; undefined for a read. */
  at: Timestamp | undefined;
  /** Of all units that executed on the node. */
  order: number;
}

const CONNECTION = 1;

export class SimClients {
  /** Answers are told here. */
  readonly ref: ActorRef<StoreNews> = {
    path: 'clients',
    tell: (news) => {
      if ('unit' in news) this.#receive(news);
      return true;
    },
  };
  readonly #options: SimClientsOptions;
  readonly #clients = new Map<number, SimClient>();
  readonly #writer = new ReplyWriter(2);
  #lastSequence = 0;
  #lastOrder = 0;

  constructor(options: SimClientsOptions) {
    this.#options = options;
  }

  submit(
    unit: ClientUnit,
    { groups, judge }: Pick<SimClient, 'groups' | 'judge'>,
    floor: Timestamp,
    tell: (part: Part) => boolean,
  ): boolean {
    const { window } = this.#options;
    this.#lastSequence += 1;
    const sequence = this.#lastSequence;
    const id = { connection: CONNECTION, sequence };
    const part = { ...unit.part, unit: id, groups, window };
    const frame = { id, startedMs: 0, discarded: false, isQuestion: false };
    const underWay = new UnitUnderWay([part], unit.plan, [], frame);
    const nothing = { replies: [], at: undefined, order: 0 };
    this.#clients.set(sequence, { ...{ unit, groups, judge, underWay, floor, tell }, ...nothing });
    if (this.#tellParts(underWay, tell)) return true;
    this.#clients.delete(sequence);
    return false;
  }

  #tellParts(underWay: UnitUnderWay, tell: (part: Part) => boolean): boolean {
    while (underWay.submitted < underWay.parts.length) {
      if (!tell(underWay.parts[underWay.submitted] as Part)) return false;
      underWay.submitted += 1;
    }
    return true;
  }

  /** The node is gone, and its clients hear nothing more. */
  clear(): void {
    this.#clients.clear();
  }

  #receive(answer: PartAnswer): void {
    const { flow, frozen } = this.#options;
    if (answer.type === 'PartReplies' && frozen()) return;
    const client = this.#clients.get(answer.unit.sequence);
    const output = { reply: (bytes: Uint8Array) => void client?.replies.push(bytes) };
    const isFirst = answer.type === 'PartReplies' && answer.from === 0;
    if (client !== undefined && isFirst) {
      const { executing, listed } = this.#options;
      client.at = (isListing(client.unit) ? listed : executing)(client);
      this.#lastOrder += 1;
      client.order = this.#lastOrder;
      this.#judgePart(client, answer);
    }
    switch (client?.underWay.receive(answer, output, this.#writer) ?? 'ignored') {
      case 'ignored':
        if (answer.type !== 'PartReplies' || answer.last) return;
        return flow({ type: 'RepliesAbandoned', unit: answer.unit, part: answer.part });
      case 'more':
        for (const credit of client?.underWay.credits() ?? []) flow(credit);
        if (client === undefined || this.#tellParts(client.underWay, client.tell)) return;
        this.#clients.delete(answer.unit.sequence);
        return client.unit.answer({ type: 'unknown', why: 'BUSY' });
      case 'broken':
        this.#clients.delete(answer.unit.sequence);
        return client?.unit.answer({ type: 'unknown', why: 'LOST' });
      case 'done':
        this.#clients.delete(answer.unit.sequence);
        if (client !== undefined) this.#done(client, answer);
    }
  }

  /** A part of a unit that was cut is judged by itself, unless its replies come in pieces. */
  #judgePart(client: SimClient, answer: PartReplies): void {
    const { unit, underWay } = client;
    const part = underWay.parts[answer.part];
    const { answered, last } = answer;
    if (part === undefined || part.readOnly || !last || answered === 0) return;
    if (answer.part === 0 && answered === part.count) return;
    if (unit.items.some((item) => typeof item !== 'number')) return;
    const { piece, silent } = pieceOf(unit, part, answered);
    this.#options.answered({ ...client, unit: piece }, Buffer.from(answer.replies), silent);
  }

  #done(client: SimClient, answer: PartAnswer): void {
    const { unit, replies } = client;
    const isCut = client.underWay.parts.length > 1;
    if (answer.type === 'PartFailed') {
      // The rest says nothing about the commands before the cut.
      const told = failure(answer.line);
      return unit.answer(isCut ? { type: 'unknown', why: `CUT ${told.type}` } : told);
    }
    const bytes = Buffer.concat(replies);
    if (!isCut) this.#options.answered(client, bytes);
    unit.answer({ type: 'replies', bytes, isCut });
  }
}
