/**
 * Speed of the gateway's hot path without sockets: parsing and classifying pipelines, and
 * rendering replies. `npm run bench resp [seconds]` prints a line per case.
 */
import { Arguments } from '../../storage/arguments.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import { REQUEST, RequestParser } from '../../transport/resp/codec/parser.ts';
import type { ClientSocket } from '../../transport/resp/connection/client-socket.ts';
import type { Part, PartAnswer } from '../../transport/resp/connection/part.ts';
import { PartRenderer } from '../../transport/resp/connection/part-renderer.ts';
import { Gateway } from '../../transport/resp/gateway.ts';
import { idleServices } from '../transport/resp/harness.ts';
import { SOLE_PLACEMENT } from '../transport/resp/placements.ts';

const KEYS = 100_000;
const PIPELINE = 100;
const SOCKET_READ_BYTES = 64 * 1024;

export async function run(args: string[]): Promise<void> {
  const seconds = Number(args[0] ?? 2);
  const socketReads = chunksOf(requests(PIPELINE * 600), SOCKET_READ_BYTES);
  const pipelines = Array.from({ length: 600 }, () => requests(PIPELINE));
  report('parse only, reads of 64 KiB', seconds, () => parseAll(socketReads));
  report('parse only, pipelines of 100', seconds, () => parseAll(pipelines));
  report('parse, classify, slots, unit; reads of 64 KiB', seconds, classifier(socketReads));
  report('parse, classify, slots, unit; pipelines of 100', seconds, classifier(pipelines));
  report('the same and +OK for each', seconds, classifier(pipelines, true));
  report('read again by Arguments.next', seconds, () => readAgain(pipelines));
  report('ReplyWriter +OK', seconds, () => write((writer) => writer.simple('OK')));
  report('ReplyWriter :1', seconds, () => write((writer) => writer.integer(1)));
  report('ReplyWriter :123456789', seconds, () => write((writer) => writer.integer(123456789)));
  report('ReplyWriter nil', seconds, () => write((writer) => writer.nil()));
  const values = { 3: 'xxx', 32: 'x'.repeat(32), 1024: 'x'.repeat(1024) };
  for (const [size, text] of Object.entries(values)) {
    report(`ReplyWriter bulk of ${size}`, seconds, () => write((writer) => writer.bulk(text)));
  }
}

/** `work` returns how many commands it has done. */
function report(name: string, seconds: number, work: () => number): void {
  const until = performance.now() + seconds * 250;
  while (performance.now() < until) work();
  let done = 0;
  const begin = performance.now();
  let now = begin;
  while (now - begin < seconds * 1000) {
    done += work();
    now = performance.now();
  }
  const perSecond = (done * 1000) / (now - begin);
  process.stdout.write(`${name.padEnd(50)} ${(perSecond / 1e6).toFixed(2).padStart(8)} M/s\n`);
}

/** Half SET, half GET, as redis-benchmark words them. */
function requests(count: number): Buffer {
  const parts: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const key = `key:${String((i * 7919) % KEYS).padStart(12, '0')}`;
    parts.push(
      i % 2 === 0
        ? `*3\r\n$3\r\nSET\r\n$16\r\n${key}\r\n$3\r\nxxx\r\n`
        : `*2\r\n$3\r\nGET\r\n$16\r\n${key}\r\n`,
    );
  }
  return Buffer.from(parts.join(''), 'latin1');
}

function chunksOf(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

function parseAll(chunks: readonly Buffer[]): number {
  const { limits } = gateway(() => true);
  const parser = new RequestParser(limits);
  let count = 0;
  for (const chunk of chunks) {
    parser.feed(chunk);
    while (parser.next() === REQUEST) count += 1;
  }
  return count;
}

function readAgain(chunks: readonly Buffer[]): number {
  const args = new Arguments();
  let count = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; count += 1) at = args.next(chunk, at);
  }
  return count;
}

/** A whole gateway with one connection; units are answered within `submit`. */
function classifier(chunks: readonly Buffer[], answer = false): () => number {
  const writer = new ReplyWriter(2);
  const renderer = new PartRenderer(writer);
  const empty = { from: 0, replies: new Uint8Array(0), ends: [], errors: [], last: true };
  let count = 0;
  const submit = (part: Part): boolean => {
    count += part.count;
    owner.answered(
      answer
        ? rendered(part)
        : { type: 'PartReplies', ...idOf(part), ...empty, answered: part.count },
    );
    return true;
  };
  const rendered = (part: Part): PartAnswer => {
    renderer.begin(part);
    for (let i = 0; i < part.count; i += 1) {
      renderer.next();
      writer.simple('OK');
    }
    return renderer.answer(part);
  };
  const idOf = ({ unit, part }: Part) => ({ unit, part });
  const owner: Gateway = gateway(submit);
  const connection = owner.attach(SINK);
  return () => {
    count = 0;
    for (const chunk of chunks) connection?.onData(chunk);
    return count;
  };
}

function gateway(submit: (part: Part) => boolean): Gateway {
  const made: Gateway = new Gateway({
    placement: SOLE_PLACEMENT,
    submit,
    flow: () => undefined,
    wake: () => made.flush(),
    services: idleServices({ wallUs: () => 0, monotonicMs: () => 0 }),
  });
  return made;
}

const REPLIES_PER_TAKE = 1000;

function write(one: (writer: ReplyWriter) => void): number {
  const writer = new ReplyWriter(2);
  for (let turn = 0; turn < 100; turn += 1) {
    for (let i = 0; i < REPLIES_PER_TAKE; i += 1) one(writer);
    writer.take();
  }
  return 100 * REPLIES_PER_TAKE;
}

const SINK: ClientSocket = {
  remoteAddress: '127.0.0.1:1',
  localAddress: '127.0.0.1:2',
  bufferedBytes: 0,
  write: () => true,
  pause: () => undefined,
  resume: () => undefined,
  end: () => undefined,
  destroy: () => undefined,
};
