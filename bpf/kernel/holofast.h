/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The structs that the kernel programs, the native addon and the TypeScript side share byte for
 * byte: frame header, vote slot, ring event, groups, settings and counters. The TypeScript twins
 * are frame.ts (the frame) and layout.ts (everything else); test/bpf/frame/layout.test.ts compares
 * them. It never includes anything but the kernel's own types, so that both compilers can read it.
 */
#ifndef HOLOFAST_H
#define HOLOFAST_H

#include <linux/types.h>

#define HF_MAGIC 0x484f4c4fu /* "HOLO" */
#define HF_VERSION 2
#define HF_FRAME_BYTES 80
#define HF_ROUND_WORDS 6
#define HF_TAGGED_WORDS 9

#define HF_FLAG_FAN_OUT 1
#define HF_FLAG_PLAIN 2

#define HF_SLOTS_MAX 4096
#define HF_GROUPS_MAX 64
#define HF_MEMBERS_MAX 8
#define HF_SENDERS_MAX 16
#define HF_RING_BYTES (1 << 20)
/* A vote that loses this many races in a row is handed to user space. */
#define HF_VOTE_TRIES_MAX 8

#define HF_GROUP_ETHERNET 1

/*
 * The header of every frame, big endian but for the tag. txn (16), ballot (16), group id (8) and
 * zeros (8) lie together at an offset of eight, so that "the same round" is a compare of six words.
 */
struct hf_frame {
	__be32 magic;
	__u8 version;
	__u8 kind;
	__u8 flags;
	__u8 sender;
	__be32 slot;
	__be16 group;
	__u8 need;
	__u8 reserved;
	__be64 generation; /* 48 bits are used */
	__u64 round[HF_ROUND_WORDS]; /* txn, ballot, group id; opaque here */
	__le64 tag; /* SipHash-2-4 over the 72 bytes before it, then the body */
};

/* One round that is being counted. User space writes all of it but the vote bits and the times. */
struct hf_slot {
	__u64 word; /* generation << 16 | votes: one word, so that one compare-and-swap guards both */
	__u64 fanned; /* the generation of the last frame that was fanned out from this slot */
	__u64 round[HF_ROUND_WORDS];
	__u32 group;
	__u16 electorate;
	__u8 need;
	__u8 reply_kind;
	__u64 fanned_ns;
	__u64 quorum_ns;
	__u64 reserved[5];
};

/* One quorum, as it leaves the kernel. Times are CLOCK_MONOTONIC nanoseconds. */
struct hf_event {
	__u64 generation;
	__u64 fanned_ns;
	__u64 quorum_ns;
	__u32 slot;
	__u16 votes;
	__u8 kind;
	__u8 sender;
};

struct hf_member {
	__be32 address;
	__be16 port;
	__u8 mac[6];
	__u8 sender;
	__u8 reserved[3];
};

struct hf_group {
	__u32 count;
	__u32 flags;
	__u64 cookie; /* SO_COOKIE of the only socket that may use the group; 0 means any */
	struct hf_member members[HF_MEMBERS_MAX];
};

struct hf_settings {
	__u64 keys[2][2]; /* both are valid; the same one twice but while they are changed */
	__be32 address; /* XDP only: the node's own address and port */
	__be16 port;
	__u16 reserved;
};

#define HF_COUNTERS(X)                                                                             \
	X(fan_outs) X(clones) X(clone_errors) X(votes) X(duplicates) X(stale) X(dropped) X(passed) \
	X(ring_full) X(tampered) X(foreign) X(quorums)

#define HF_COUNTER_FIELD(name) __u64 name;
struct hf_counters {
	HF_COUNTERS(HF_COUNTER_FIELD)
};

#endif
