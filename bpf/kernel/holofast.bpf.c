// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel part of HoloFast: fans one outgoing UDP frame out to the members of a group, and
 * counts their fixed-size plain replies, so that user space wakes once per quorum. It decides
 * nothing, acknowledges nothing and keeps nothing: whatever it does not understand exactly goes to
 * user space (fan-in) or on its way (fan-out) untouched. User space owns every slot; the kernel
 * only sets vote bits in one that is armed. Built from UAPI headers alone (clang 14, -mcpu=v3).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "siphash.h"

/* bpf_clone_redirect and the ring buffer need a licence that the kernel calls compatible. */
char _license[] SEC("license") = "Dual BSD/GPL";

/* Newer than the oldest UAPI headers that we build with; TC_ACT_* have the same values. */
#define TCX_NEXT -1
#define TCX_PASS 0

#define IP_OFFSET ETH_HLEN
#define UDP_OFFSET (IP_OFFSET + sizeof(struct iphdr))
#define FRAME_OFFSET (UDP_OFFSET + sizeof(struct udphdr))
#define FLAGS_OFFSET (FRAME_OFFSET + 6)
#define IP_FRAGMENT_MASK 0x3fff
#define GENERATION_MASK 0xffffffffffffULL

#define COPY_BYTES(to, from) __builtin_memcpy(to, from, sizeof(*(to)))

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HF_GROUPS_MAX);
	__type(key, __u32);
	__type(value, struct hf_group);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HF_SLOTS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct hf_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hf_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hf_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, HF_RING_BYTES);
} events SEC(".maps");

static const __u32 only_key = 0;

/* Per CPU, and a program does not migrate: a plain addition is enough. */
#define COUNT(name)                                                                                \
	do {                                                                                       \
		struct hf_counters *c = bpf_map_lookup_elem(&counters, &only_key);                 \
		if (c)                                                                             \
			c->name++;                                                                 \
	} while (0)

static __always_inline int is_plain_udp(const struct iphdr *ip)
{
	/* Version 4 and no options: every offset below relies on the 20-byte header. */
	return *(const __u8 *)ip == 0x45 && ip->protocol == IPPROTO_UDP &&
	       !(ip->frag_off & bpf_htons(IP_FRAGMENT_MASK));
}

static __always_inline int is_frame(const struct hf_frame *frame)
{
	return frame->magic == bpf_htonl(HF_MAGIC) && frame->version == HF_VERSION;
}

/* ---- fan-out: TCX or clsact egress ---- */

/* Tells user space, which looks right after its send, that the fast path is alive. */
static __always_inline void mark_fanned(const struct hf_frame *frame)
{
	__u32 index = bpf_ntohl(frame->slot);
	struct hf_slot *slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot)
		return;
	__u64 generation = bpf_be64_to_cpu(frame->generation);
	if (slot->word >> 16 != generation)
		return;
	slot->fanned_ns = bpf_ktime_get_ns();
	__sync_lock_test_and_set(&slot->fanned, generation);
}

struct destination {
	__be32 address;
	__be16 port;
};

/*
 * The checksum is corrected, never cleared: on a CHECKSUM_PARTIAL packet a zero would be taken for
 * the start value of the sum.
 */
static __always_inline void redirect_to(struct __sk_buff *skb, struct destination *now,
					const struct hf_member *member, __u32 flags)
{
	__be32 address = member->address;
	__be16 port = member->port;

	bpf_l3_csum_replace(skb, IP_OFFSET + 10, now->address, address, 4);
	bpf_l4_csum_replace(skb, UDP_OFFSET + 6, now->address, address,
			    BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | 4);
	bpf_l4_csum_replace(skb, UDP_OFFSET + 6, now->port, port, BPF_F_MARK_MANGLED_0 | 2);
	bpf_skb_store_bytes(skb, IP_OFFSET + 16, &address, sizeof(address), 0);
	bpf_skb_store_bytes(skb, UDP_OFFSET + 2, &port, sizeof(port), 0);
	if (flags & HF_GROUP_ETHERNET)
		bpf_skb_store_bytes(skb, 0, member->mac, ETH_ALEN, 0);
	now->address = address;
	now->port = port;
}

/* A clone passes this hook again: without the flag it is left alone there. */
static __always_inline void clear_fan_out_flag(struct __sk_buff *skb, const struct hf_frame *frame)
{
	__u8 flags = frame->flags & ~HF_FLAG_FAN_OUT;
	__u8 before[2] = { frame->flags, frame->sender }, after[2] = { flags, frame->sender };
	__be16 from, to;

	COPY_BYTES(&from, before);
	COPY_BYTES(&to, after);
	bpf_l4_csum_replace(skb, UDP_OFFSET + 6, from, to, BPF_F_MARK_MANGLED_0 | 2);
	bpf_skb_store_bytes(skb, FLAGS_OFFSET, &flags, 1, 0);
}

SEC("tc") int hf_fan_out(struct __sk_buff *skb)
{
	struct iphdr ip;
	struct udphdr udp;
	struct hf_frame frame;

	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->vlan_present ||
	    skb->len < FRAME_OFFSET + sizeof(frame))
		return TCX_NEXT;
	if (bpf_skb_load_bytes(skb, IP_OFFSET, &ip, sizeof(ip)) || !is_plain_udp(&ip))
		return TCX_NEXT;
	if (bpf_skb_load_bytes(skb, FRAME_OFFSET, &frame, sizeof(frame)) || !is_frame(&frame) ||
	    !(frame.flags & HF_FLAG_FAN_OUT))
		return TCX_NEXT;
	if (bpf_skb_load_bytes(skb, UDP_OFFSET, &udp, sizeof(udp)))
		return TCX_NEXT;

	__u32 id = bpf_ntohs(frame.group);
	struct hf_group *group = bpf_map_lookup_elem(&groups, &id);
	if (!group || group->count == 0 || group->count > HF_MEMBERS_MAX)
		return TCX_NEXT;
	/* Another node on this machine may use the same group number: its own program serves it. */
	if (group->cookie && group->cookie != bpf_get_socket_cookie(skb))
		return TCX_NEXT;
	/* Of a large datagram only the headers are linear; the rewrites need these bytes. */
	if (bpf_skb_pull_data(skb, FRAME_OFFSET + sizeof(frame)))
		return TCX_NEXT;

	mark_fanned(&frame);
	COUNT(fan_outs);
	clear_fan_out_flag(skb, &frame);
	struct destination now = { .address = ip.daddr, .port = udp.dest };
	__u32 count = group->count, flags = group->flags;
	for (__u32 i = 0; i < HF_MEMBERS_MAX; i++) {
		redirect_to(skb, &now, &group->members[i], flags);
		if (i + 1 >= count)
			break; /* the last member gets the original */
		if (bpf_clone_redirect(skb, skb->ifindex, 0))
			COUNT(clone_errors);
		else
			COUNT(clones);
	}
	return TCX_PASS;
}

/* ---- fan-in: socket filter, or XDP ---- */

enum { PASS_UP = 0, CONSUME = 1 };

static __always_inline int is_member(const struct hf_group *group, __u8 sender, __be32 address,
				     __be16 port)
{
	for (__u32 i = 0; i < HF_MEMBERS_MAX; i++) {
		const struct hf_member *member = &group->members[i];
		if (i < group->count && member->sender == sender && member->address == address &&
		    member->port == port)
			return 1;
	}
	return 0;
}

static __always_inline int is_same_round(const struct hf_slot *slot, const struct hf_frame *frame)
{
	__u64 difference = slot->reply_kind ^ frame->kind;
#pragma unroll
	for (int i = 0; i < HF_ROUND_WORDS; i++)
		difference |= slot->round[i] ^ frame->round[i];
	return difference == 0;
}

static __always_inline __u32 count_bits(__u32 bits)
{
	bits = bits - ((bits >> 1) & 0x5555);
	bits = (bits & 0x3333) + ((bits >> 2) & 0x3333);
	bits = (bits + (bits >> 4)) & 0x0f0f;
	return (bits + (bits >> 8)) & 0x1f;
}

static __always_inline int is_authentic(const struct hf_frame *frame)
{
	struct hf_settings *own = bpf_map_lookup_elem(&settings, &only_key);
	const hf_word *words = (const hf_word *)frame;
	if (!own)
		return 0;
	if (hf_header_tag(words, own->keys[0]) == frame->tag)
		return 1;
	if (own->keys[0][0] == own->keys[1][0] && own->keys[0][1] == own->keys[1][1])
		return 0;
	return hf_header_tag(words, own->keys[1]) == frame->tag;
}

/* The quorum is complete. Without room in the ring the frame itself is the notification. */
static __always_inline int notify(struct hf_slot *slot, __u32 index, __u64 word,
				  const struct hf_frame *frame)
{
	COUNT(quorums);
	__u64 now = bpf_ktime_get_ns();
	slot->quorum_ns = now;
	struct hf_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		COUNT(ring_full);
		return PASS_UP;
	}
	event->generation = word >> 16;
	event->fanned_ns = slot->fanned_ns;
	event->quorum_ns = now;
	event->slot = index;
	event->votes = word & 0xffff;
	event->kind = frame->kind;
	event->sender = frame->sender;
	/* Flags stay 0: mixing in "no wake-up" loses wake-ups for good. */
	bpf_ringbuf_submit(event, 0);
	return CONSUME;
}

/* `word` was read before the slot's fields; they belong to it as long as its generation stands. */
static __always_inline int vote(struct hf_slot *slot, __u32 index, __u64 word,
				const struct hf_frame *frame)
{
	__u64 generation = word >> 16, bit = 1ULL << (frame->sender & 15);
	__u32 need = slot->need;

	for (int i = 0; i < HF_VOTE_TRIES_MAX; i++) {
		if (word >> 16 != generation) {
			COUNT(stale);
			return PASS_UP;
		}
		if (word & bit) {
			COUNT(duplicates);
			return CONSUME;
		}
		__u64 seen = __sync_val_compare_and_swap(&slot->word, word, word | bit);
		if (seen == word) {
			COUNT(votes);
			/* Only one vote can be the one that makes the count equal to the need. */
			if (count_bits((word | bit) & 0xffff) != need)
				return CONSUME;
			return notify(slot, index, word | bit, frame);
		}
		word = seen;
	}
	return PASS_UP;
}

static __always_inline int judge(const struct hf_frame *frame, __be32 address, __be16 port)
{
	if (frame->flags != HF_FLAG_PLAIN)
		return PASS_UP;
	__u32 index = bpf_ntohl(frame->slot);
	struct hf_slot *slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot) {
		COUNT(stale);
		return PASS_UP;
	}
	/* An addition of nothing reads with a full barrier: what is read below is not older. */
	__u64 word = __sync_fetch_and_add(&slot->word, 0);
	if (word >> 16 != bpf_be64_to_cpu(frame->generation) || !is_same_round(slot, frame)) {
		COUNT(stale);
		return PASS_UP;
	}
	__u32 id = slot->group;
	struct hf_group *group = bpf_map_lookup_elem(&groups, &id);
	if (!group || frame->sender >= HF_SENDERS_MAX ||
	    !(slot->electorate >> (frame->sender & 15) & 1) ||
	    !is_member(group, frame->sender, address, port)) {
		COUNT(foreign);
		return PASS_UP;
	}
	if (!is_authentic(frame)) {
		COUNT(tampered);
		return PASS_UP;
	}
	return vote(slot, index, word, frame);
}

static __always_inline int fan_in(const struct hf_frame *frame, __be32 address, __be16 port)
{
	if (is_frame(frame) && judge(frame, address, port) == CONSUME) {
		COUNT(dropped);
		return CONSUME;
	}
	COUNT(passed);
	return PASS_UP;
}

/* Attached to the node's own socket, after the UDP checksum was verified; 0 drops the packet. */
SEC("socket") int hf_fan_in_socket(struct __sk_buff *skb)
{
	struct iphdr ip;
	struct udphdr udp;
	struct hf_frame frame;

	if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET) ||
	    !is_plain_udp(&ip) ||
	    bpf_ntohs(ip.tot_len) != sizeof(ip) + sizeof(udp) + sizeof(frame))
		goto pass;
	/* The data begins at the UDP header; under BPF_PROG_RUN at the IP header. */
	__u32 offset = skb->len - sizeof(frame);
	if (offset != sizeof(udp) && offset != sizeof(ip) + sizeof(udp))
		goto pass;
	if (bpf_skb_load_bytes(skb, offset - sizeof(udp), &udp, sizeof(udp)) ||
	    bpf_skb_load_bytes(skb, offset, &frame, sizeof(frame)))
		goto pass;
	return fan_in(&frame, ip.saddr, udp.source) == CONSUME ? 0 : skb->len;
pass:
	COUNT(passed);
	return skb->len;
}

/* For network cards: before a socket buffer is made, but also before checksums are verified. */
SEC("xdp") int hf_fan_in_xdp(struct xdp_md *ctx)
{
	struct hf_settings *own = bpf_map_lookup_elem(&settings, &only_key);
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	struct hf_frame frame;

	if (!own || bpf_xdp_load_bytes(ctx, 0, &eth, sizeof(eth)) ||
	    eth.h_proto != bpf_htons(ETH_P_IP) ||
	    bpf_xdp_load_bytes(ctx, IP_OFFSET, &ip, sizeof(ip)) || !is_plain_udp(&ip) ||
	    ip.daddr != own->address)
		return XDP_PASS;
	if (bpf_xdp_load_bytes(ctx, UDP_OFFSET, &udp, sizeof(udp)) || udp.dest != own->port)
		return XDP_PASS;
	if (bpf_ntohs(ip.tot_len) != sizeof(ip) + sizeof(udp) + sizeof(frame) ||
	    bpf_ntohs(udp.len) != sizeof(udp) + sizeof(frame) ||
	    bpf_xdp_load_bytes(ctx, FRAME_OFFSET, &frame, sizeof(frame))) {
		COUNT(passed);
		return XDP_PASS;
	}
	return fan_in(&frame, ip.saddr, udp.source) == CONSUME ? XDP_DROP : XDP_PASS;
}
