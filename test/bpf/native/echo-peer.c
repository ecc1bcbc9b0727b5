/*
 * A replica that says yes to everything, for end-to-end tests and the bench: answers each request
 * with its plain reply. Usage: echo-peer address port sender key-hex. Prints "ready", and at the
 * end (SIGTERM) how many requests it served. Dies with its parent.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../../bpf/kernel/siphash.h"

static unsigned long served;

static void finish(int signal)
{
	(void)signal;
	printf("served %lu\n", served);
	fflush(stdout);
	_exit(0);
}

static void read_key(const char *hex, __u64 *key)
{
	unsigned char bytes[16] = { 0 };
	for (int i = 0; i < 16; i++)
		sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
	memcpy(key, bytes, sizeof(bytes));
}

int main(int argc, char **argv)
{
	static char buffer[65536] __attribute__((aligned(8)));
	struct hf_frame *frame = (struct hf_frame *)buffer;
	struct sockaddr_in own = { .sin_family = AF_INET }, from;
	int room = 4 << 20;
	__u64 key[2];

	if (argc != 5)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, finish);
	read_key(argv[4], key);
	inet_pton(AF_INET, argv[1], &own.sin_addr);
	own.sin_port = htons((unsigned short)atoi(argv[2]));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own))) {
		perror("bind");
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t length =
			recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size);
		if (length < HF_FRAME_BYTES || frame->magic != htonl(HF_MAGIC) || frame->flags != 0)
			continue;
		frame->kind++;
		frame->flags = HF_FLAG_PLAIN;
		frame->sender = (__u8)atoi(argv[3]);
		frame->tag = hf_header_tag((const hf_word *)frame, key);
		sendto(fd, buffer, HF_FRAME_BYTES, 0, (struct sockaddr *)&from, size);
		served++;
	}
}
