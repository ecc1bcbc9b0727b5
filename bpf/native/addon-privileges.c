/*
 * Gives up what only loading and attaching need: CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, and
 * CAP_SYS_ADMIN, which stands for them. Capabilities belong to threads, and Node has some before
 * any addon is loaded: each thread is sent a signal whose handler gives up its own. With
 * no_new_privs no program that the process starts has them again.
 */
#include "addon.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BIT(capability) (1ull << (capability))
/* Values that the oldest supported headers lack. */
#define NUMBER_PERFMON 38
#define NUMBER_BPF 39
#define ALL_OF_THEM                                                                                \
	(BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_ADMIN) | BIT(NUMBER_PERFMON) | BIT(NUMBER_BPF))

/*
 * The signal by which the C library changes user ids in all threads: the only one that threads
 * cannot have blocked (Node's inspector blocks all others).
 */
#ifdef __GLIBC__
#define SIGNAL 33
#else
#define SIGNAL 34
#endif
/* struct sigaction as the kernel has it, which differs by processor. */
#define ACTION_BYTES_MAX 64
#define SIGNAL_SET_BYTES (_NSIG / 8)
#define WAIT_NS 1000000
#define WAITS_MAX 50

static _Atomic uint64_t wanted;

/* In a signal handler, too: system calls alone. */
static int change_own(uint64_t drop, bool effective_only)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets))
		return -errno;
	for (int half = 0; half < 2; half++) {
		uint32_t keep = ~(uint32_t)(drop >> (32 * half));
		sets[half].effective &= keep;
		if (effective_only)
			continue;
		sets[half].permitted &= keep;
		sets[half].inheritable &= keep;
	}
	return syscall(SYS_capset, &header, sets) ? -errno : 0;
}

static int take_back_own(uint64_t effective)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets))
		return -errno;
	for (int half = 0; half < 2; half++)
		sets[half].effective |= sets[half].permitted & (uint32_t)(effective >> (32 * half));
	return syscall(SYS_capset, &header, sets) ? -errno : 0;
}

static void give_up(int signal)
{
	int error = errno;
	(void)signal;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	change_own(atomic_load(&wanted), false);
	errno = error;
}

/*
 * The C library lets nobody set the action of its own signals: it is copied from another one. It
 * stays, for threads that sleep in the disk meanwhile; a node never changes its user id.
 */
static int install(void)
{
	unsigned char action[ACTION_BYTES_MAX];
	struct sigaction ours, before;
	memset(&ours, 0, sizeof(ours));
	ours.sa_handler = give_up;
	ours.sa_flags = SA_RESTART;
	sigfillset(&ours.sa_mask);
	if (sigaction(SIGRTMAX, &ours, &before))
		return -errno;
	int error = 0;
	if (syscall(SYS_rt_sigaction, SIGRTMAX, NULL, action, SIGNAL_SET_BYTES) ||
	    syscall(SYS_rt_sigaction, SIGNAL, action, NULL, SIGNAL_SET_BYTES))
		error = -errno;
	sigaction(SIGRTMAX, &before, NULL);
	return error;
}

static uint64_t held_by(const char *thread)
{
	char path[64], line[256];
	unsigned long long set = 0;
	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", thread);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapPrm: %llx", &set) == 1)
			break;
	if (file)
		fclose(file);
	return set;
}

/* How many threads still have one of them; `tell`: each is sent the signal. */
static int holders(uint64_t drop, bool tell)
{
	int count = 0;
	struct dirent *entry;
	DIR *tasks = opendir("/proc/self/task");
	if (!tasks)
		return -errno;
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.' || !(held_by(entry->d_name) & drop))
			continue;
		count++;
		if (tell)
			syscall(SYS_tgkill, getpid(), atoi(entry->d_name), SIGNAL);
	}
	closedir(tasks);
	return count;
}

/* Whether this kernel lets a process without capabilities write the maps that it holds. */
static bool can_do_without(struct kernel *kernel, uint64_t drop)
{
	struct hf_settings settings;
	uint32_t key = 0;
	int map = kernel->maps[MAP_SETTINGS];
	if (change_own(drop, true))
		return false;
	bool can = !bpf_map_lookup_elem(map, &key, &settings) &&
		   !bpf_map_update_elem(map, &key, &settings, BPF_ANY);
	take_back_own(drop);
	return can;
}

/*
 * dropPrivileges(handle | undefined) -> threads that have not followed yet (call it again), or -1:
 * this kernel needs them for what is loaded. A clsact filter is removed with CAP_NET_ADMIN alone.
 */
EXPORTED(hf_drop_privileges)
{
	napi_value values[1];
	napi_valuetype type = napi_undefined;
	struct kernel *kernel = NULL;
	uint64_t drop = ALL_OF_THEM;
	arguments(env, info, values, 1);
	napi_typeof(env, values[0], &type);
	if (type == napi_external) {
		kernel = kernel_of(env, values[0]);
		if (!kernel)
			return NULL;
		if (kernel->clsact)
			drop &= ~BIT(CAP_NET_ADMIN);
		if (!can_do_without(kernel, drop))
			return int_value(env, -1);
	}
	atomic_store(&wanted, drop);
	int error = install();
	int left = error ? error : holders(drop, true);
	struct timespec wait = { 0, WAIT_NS };
	for (int waits = 0; left > 0 && waits < WAITS_MAX; waits++) {
		nanosleep(&wait, NULL);
		left = holders(drop, false);
	}
	return left < 0 ? fail(env, "drop privileges", left) : int_value(env, left);
}
