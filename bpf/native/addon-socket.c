/*
 * UDP sockets made natively, so that options which dgram does not offer (a filter, "do not
 * fragment") are set before the socket is handed over; and sends that cost one system call.
 * All sends are non-blocking; a result below zero is a negative errno.
 */
#include "addon.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SENDS_MAX HF_SENDERS_MAX
/* BATCH_FRAMES_MAX of native.ts. */
#define BATCH_MAX 64

static bool address_of(napi_env env, napi_value value, struct in_addr *address)
{
	char text[NAME_BYTES_MAX];
	return text_of(env, value, text, sizeof(text)) && inet_pton(AF_INET, text, address) == 1;
}

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static int prepare(int fd, struct sockaddr_in *own, uint32_t receive_bytes, uint32_t send_bytes)
{
	struct ip_mreqn out = { .imr_address = own->sin_addr };
	/*
	 * A fragmented datagram never reaches the fan-out whole: EMSGSIZE sends the caller to TCP.
	 * A multicast destination is only a name for the group: it may not travel or come back.
	 */
	if (set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO) ||
	    set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1) ||
	    set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0) ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)))
		return -1;
	/* The kernel caps these at its own limits, and says nothing. */
	if (receive_bytes)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, (int)receive_bytes);
	if (send_bytes)
		set_option(fd, SOL_SOCKET, SO_SNDBUF, (int)send_bytes);
	return bind(fd, (struct sockaddr *)own, sizeof(*own));
}

/* udpSocket(address, port, receiveBytes, sendBytes) -> {fd, port, cookie: Uint8Array(8)} */
EXPORTED(hf_udp_socket)
{
	napi_value values[4], result, cookie_bytes;
	struct sockaddr_in own = { .sin_family = AF_INET };
	socklen_t size = sizeof(own), cookie_size = sizeof(uint64_t);
	uint64_t cookie = 0;
	void *at;
	arguments(env, info, values, 4);
	if (!address_of(env, values[0], &own.sin_addr))
		return fail(env, "address", EINVAL);
	own.sin_port = htons((uint16_t)uint_of(env, values[1], 0));
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(env, "socket", errno);
	if (prepare(fd, &own, uint_of(env, values[2], 0), uint_of(env, values[3], 0)) ||
	    getsockname(fd, (struct sockaddr *)&own, &size) ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &cookie_size)) {
		int error = errno;
		close(fd);
		return fail(env, "prepare socket", error);
	}
	napi_create_object(env, &result);
	set_int(env, result, "fd", fd);
	set_int(env, result, "port", ntohs(own.sin_port));
	napi_create_buffer_copy(env, sizeof(cookie), &cookie, &at, &cookie_bytes);
	napi_set_named_property(env, result, "cookie", cookie_bytes);
	return result;
}

/* closeFd(fd): for a socket that was not handed to dgram. */
EXPORTED(hf_close_fd)
{
	napi_value values[1];
	arguments(env, info, values, 1);
	close(int_of(env, values[0], -1));
	return NULL;
}

/* sendTo(fd, frame, length, sockaddr) -> bytes or -errno */
EXPORTED(hf_send_to)
{
	napi_value values[4];
	uint8_t *frame, *to;
	size_t frame_bytes, to_bytes;
	arguments(env, info, values, 4);
	uint32_t length = uint_of(env, values[2], 0);
	if (!bytes_of(env, values[1], &frame, &frame_bytes) || length > frame_bytes ||
	    !bytes_of(env, values[3], &to, &to_bytes) || to_bytes < sizeof(struct sockaddr_in))
		return int_value(env, -EINVAL);
	ssize_t sent = sendto(int_of(env, values[0], -1), frame, length, MSG_DONTWAIT,
			      (struct sockaddr *)to, sizeof(struct sockaddr_in));
	return int_value(env, sent < 0 ? -errno : sent);
}

static void address_message(struct mmsghdr *message, struct iovec *body, uint8_t *to)
{
	message->msg_hdr = (struct msghdr){ .msg_name = to,
					    .msg_namelen = sizeof(struct sockaddr_in),
					    .msg_iov = body,
					    .msg_iovlen = 1 };
}

/*
 * sendmmsg(2) stops at the first message that fails; an unreachable member must not keep the
 * messages from the others. Returns how many were sent, or -errno when none was.
 */
static int send_all(int fd, struct mmsghdr *messages, uint32_t count)
{
	int sent_all = 0, error = 0;
	for (uint32_t at = 0; at < count;) {
		int sent = sendmmsg(fd, messages + at, count - at, MSG_DONTWAIT);
		if (sent > 0) {
			sent_all += sent;
			at += (uint32_t)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		error = errno;
		/* No room for any of them. */
		if (error == EAGAIN || error == ENOBUFS)
			break;
		at++;
	}
	return sent_all > 0 ? sent_all : -error;
}

/* sendMany(fd, frame, length, sockaddrs, count) -> frames sent, or -errno when none was */
EXPORTED(hf_send_many)
{
	napi_value values[5];
	uint8_t *frame, *to;
	size_t frame_bytes, to_bytes;
	struct mmsghdr messages[SENDS_MAX];
	arguments(env, info, values, 5);
	uint32_t length = uint_of(env, values[2], 0), count = uint_of(env, values[4], 0);
	if (!bytes_of(env, values[1], &frame, &frame_bytes) || length > frame_bytes ||
	    !bytes_of(env, values[3], &to, &to_bytes) || count > SENDS_MAX ||
	    to_bytes < count * sizeof(struct sockaddr_in))
		return int_value(env, -EINVAL);
	struct iovec body = { .iov_base = frame, .iov_len = length };
	for (uint32_t i = 0; i < count; i++)
		address_message(&messages[i], &body, to + i * sizeof(struct sockaddr_in));
	return int_value(env, send_all(int_of(env, values[0], -1), messages, count));
}

/*
 * sendBatch(fd, frames, lengths (u32 each), sockaddrs, count) -> frames sent, or -errno when none
 * was. The frames lie one behind the other, each for an address of its own.
 */
EXPORTED(hf_send_batch)
{
	napi_value values[5];
	uint8_t *frames, *lengths, *to;
	size_t frames_bytes, lengths_bytes, to_bytes, at = 0;
	struct mmsghdr messages[BATCH_MAX];
	struct iovec bodies[BATCH_MAX];
	arguments(env, info, values, 5);
	uint32_t count = uint_of(env, values[4], 0);
	if (!bytes_of(env, values[1], &frames, &frames_bytes) ||
	    !bytes_of(env, values[2], &lengths, &lengths_bytes) ||
	    !bytes_of(env, values[3], &to, &to_bytes) || count > BATCH_MAX ||
	    lengths_bytes < count * sizeof(uint32_t) ||
	    to_bytes < count * sizeof(struct sockaddr_in))
		return int_value(env, -EINVAL);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t length;
		memcpy(&length, lengths + i * sizeof(length), sizeof(length));
		if (length > frames_bytes - at)
			return int_value(env, -EINVAL);
		bodies[i] = (struct iovec){ .iov_base = frames + at, .iov_len = length };
		address_message(&messages[i], &bodies[i], to + i * sizeof(struct sockaddr_in));
		at += length;
	}
	return int_value(env, send_all(int_of(env, values[0], -1), messages, count));
}

/* receive(fd, buffer, waitMs) -> {length, address} or undefined: for the probe and for tests. */
EXPORTED(hf_receive)
{
	napi_value values[3], result;
	uint8_t *buffer;
	size_t size;
	struct sockaddr_in from;
	socklen_t from_size = sizeof(from);
	arguments(env, info, values, 3);
	if (!bytes_of(env, values[1], &buffer, &size))
		return fail(env, "receive", EINVAL);
	struct pollfd waiting = { .fd = int_of(env, values[0], -1), .events = POLLIN };
	if (poll(&waiting, 1, int_of(env, values[2], 0)) <= 0)
		return NULL;
	ssize_t length = recvfrom(waiting.fd, buffer, size, MSG_DONTWAIT, (struct sockaddr *)&from,
				  &from_size);
	if (length < 0)
		return NULL;
	napi_create_object(env, &result);
	set_int(env, result, "length", length);
	set_int(env, result, "port", ntohs(from.sin_port));
	char text[INET_ADDRSTRLEN];
	set_text(env, result, "address", inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text)));
	return result;
}

/* interfaceInfo(name) -> {index, mtu, loopback} */
EXPORTED(hf_interface)
{
	napi_value values[1], result;
	struct ifreq request;
	arguments(env, info, values, 1);
	memset(&request, 0, sizeof(request));
	if (!text_of(env, values[0], request.ifr_name, IFNAMSIZ))
		return fail(env, "interface name", EINVAL);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(env, "socket", errno);
	napi_create_object(env, &result);
	set_int(env, result, "index", if_nametoindex(request.ifr_name));
	int failed = ioctl(fd, SIOCGIFMTU, &request);
	set_int(env, result, "mtu", request.ifr_mtu);
	failed = failed || ioctl(fd, SIOCGIFFLAGS, &request);
	set_bool(env, result, "loopback", request.ifr_flags & IFF_LOOPBACK);
	int error = errno;
	close(fd);
	if (failed)
		return fail(env, "interface", error);
	return result;
}
