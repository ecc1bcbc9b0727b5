/*
 * Makes an interface compute checksums in software, so that a receiver verifies them really:
 * checksum-off interface... (what `ethtool -K interface tx off` does).
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (int i = 1; i < argc; i++) {
		struct ethtool_value off = { .cmd = ETHTOOL_STXCSUM, .data = 0 };
		struct ifreq request;
		memset(&request, 0, sizeof(request));
		strncpy(request.ifr_name, argv[i], IFNAMSIZ - 1);
		request.ifr_data = (char *)&off;
		if (ioctl(fd, SIOCETHTOOL, &request)) {
			perror(argv[i]);
			return 1;
		}
	}
	return 0;
}
