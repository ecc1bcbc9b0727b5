/*
 * Votes for whatever is armed, as fast as it can, through BPF_PROG_RUN of the loaded socket filter:
 * random senders, and among them votes that must never count: of an earlier generation (always and
 * only by sender 7), with a wrong tag (always and only by sender 8), by a stranger (9).
 * Usage: stress-voter program-id slots-map-id slots seed key-hex. Runs until it is killed; dies
 * with its parent.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "../../../bpf/kernel/siphash.h"

#define STALE_SENDER 7
#define FORGING_SENDER 8
#define STRANGER 9

struct packet {
	unsigned char eth[14];
	unsigned char ip[20];
	unsigned char udp[8];
	unsigned char frame[HF_FRAME_BYTES];
};

/* The last round seen in a slot, and the one before it, which is over for good. */
struct memory {
	__u64 generation, old_generation;
	__u64 round[HF_ROUND_WORDS], old_round[HF_ROUND_WORDS];
	__u8 kind;
};

static uint64_t state;

static uint32_t below(uint32_t limit)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (uint32_t)(state >> 20) % limit;
}

static void read_key(const char *hex, __u64 *key)
{
	unsigned char bytes[16] = { 0 };
	for (int i = 0; i < 16; i++)
		sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
	memcpy(key, bytes, sizeof(bytes));
}

static void observe(volatile struct hf_slot *slot, struct memory *memory)
{
	__u64 generation = slot->word >> 16;
	if (generation == memory->generation || (generation & 0xffff) == 0)
		return;
	memory->old_generation = memory->generation;
	memcpy(memory->old_round, memory->round, sizeof(memory->round));
	memory->generation = generation;
	for (int i = 0; i < HF_ROUND_WORDS; i++)
		memory->round[i] = slot->round[i];
	memory->kind = slot->reply_kind;
}

static void make_frame(struct hf_frame *frame, uint32_t index, struct memory *memory,
		       const __u64 *key)
{
	uint32_t dice = below(16);
	memset(frame, 0, sizeof(*frame));
	frame->magic = htonl(HF_MAGIC);
	frame->version = HF_VERSION;
	frame->kind = memory->kind;
	frame->flags = HF_FLAG_PLAIN;
	frame->slot = htonl(index);
	__u64 generation = memory->generation;
	const __u64 *round = memory->round;
	frame->sender = (__u8)(1 + below(6));
	if (dice == 0 && memory->old_generation) {
		frame->sender = STALE_SENDER;
		generation = memory->old_generation;
		/* Half of them even with the current round: the generation alone must tell. */
		if (below(2))
			round = memory->old_round;
	} else if (dice == 1) {
		frame->sender = FORGING_SENDER;
	} else if (dice == 2) {
		frame->sender = STRANGER;
	}
	frame->generation = ((__u64)htonl((uint32_t)generation) << 32) |
			    htonl((uint32_t)(generation >> 32));
	memcpy(frame->round, round, sizeof(frame->round));
	frame->tag = hf_header_tag((const hf_word *)frame, key);
	if (frame->sender == FORGING_SENDER)
		frame->tag ^= 1ull << below(64);
}

int main(int argc, char **argv)
{
	struct packet packet = { 0 };
	struct hf_frame frame;
	__u64 key[2];

	if (argc != 6)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int program = bpf_prog_get_fd_by_id((uint32_t)atoi(argv[1]));
	int map = bpf_map_get_fd_by_id((uint32_t)atoi(argv[2]));
	uint32_t slots = (uint32_t)atoi(argv[3]);
	state = strtoull(argv[4], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
	read_key(argv[5], key);
	volatile struct hf_slot *shared = mmap(NULL, sizeof(struct hf_slot) * HF_SLOTS_MAX,
					       PROT_READ, MAP_SHARED, map, 0);
	struct memory *memories = calloc(slots, sizeof(*memories));
	if (program < 0 || map < 0 || shared == MAP_FAILED || !memories) {
		perror("stress-voter");
		return 1;
	}
	packet.eth[12] = 8;
	packet.ip[0] = 0x45;
	packet.ip[3] = sizeof(packet) - 14;
	packet.ip[9] = 17;
	packet.ip[12] = 127, packet.ip[15] = 1;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	for (;;) {
		uint32_t index = below(slots);
		observe(&shared[index], &memories[index]);
		if (memories[index].generation == 0)
			continue;
		make_frame(&frame, index, &memories[index], key);
		uint16_t port = htons((uint16_t)(7000 + frame.sender));
		memcpy(packet.udp, &port, sizeof(port));
		memcpy(packet.frame, &frame, sizeof(frame));
		if (bpf_prog_test_run_opts(program, &run)) {
			perror("test run");
			return 1;
		}
	}
}
