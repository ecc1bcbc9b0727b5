/** Peer frames as tests write and read them: messages of one group, in one section. */
import { type GroupId, NO_GROUP } from '../../../actors/accord/topology/group-id.ts';
import { Channel, decodeFrame, encodeFrame } from '../../../transport/peer/codec.ts';

export const GROUP: GroupId = { range: 1, generation: 1 };

export function protocolFrame(messages: readonly object[], group: GroupId = GROUP): Buffer {
  return Buffer.concat(encodeFrame(Channel.protocol, [{ ...group, messages }]));
}

export function adminFrame(messages: readonly object[]): Buffer {
  return Buffer.concat(encodeFrame(Channel.admin, [{ ...NO_GROUP, messages }]));
}

/** The messages of all sections. */
export function messagesOf(frame: Uint8Array): readonly object[] {
  return decodeFrame(frame).sections.flatMap(({ messages }) => messages);
}
