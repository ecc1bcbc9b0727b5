/*
 * Attaching and detaching: fan-out by TCX link, or by a clsact filter on kernels before 6.6; fan-in
 * as a socket filter, or as XDP. Links and socket filters vanish with the process. A clsact filter
 * does not: it has a fixed priority and a handle of its own, and a leftover is removed first.
 */
#include "addon.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A value of enum bpf_attach_type that the oldest supported headers lack. */
#define ATTACH_TCX_EGRESS 47
#define CLSACT_PRIORITY 0x4846

static int attach_clsact(struct kernel *kernel, int interface, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, leftover, .handle = handle, .priority = CLSACT_PRIORITY);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = handle, .priority = CLSACT_PRIORITY,
		    .prog_fd = kernel->programs[PROGRAM_FAN_OUT]);
	int error = bpf_tc_hook_create(&hook);
	if (error && error != -EEXIST)
		return error;
	bpf_tc_detach(&hook, &leftover);
	/* "No such filter" is the rule here, not news. */
	forget_libbpf_log();
	error = bpf_tc_attach(&hook, &filter);
	if (error)
		return error;
	kernel->hook = hook;
	kernel->filter = filter;
	kernel->clsact = true;
	return 0;
}

/* attachFanOut(handle, interface, clsactHandle, mode) -> 'tcx' | 'clsact' */
EXPORTED(hf_attach_fan_out)
{
	napi_value values[4], result;
	char name[NAME_BYTES_MAX], mode[NAME_BYTES_MAX];
	const char *how = "tcx";
	arguments(env, info, values, 4);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	text_of(env, values[1], name, sizeof(name));
	text_of(env, values[3], mode, sizeof(mode));
	int interface = (int)if_nametoindex(name);
	if (interface == 0)
		return fail(env, "find interface", errno);
	if (kernel->fan_out_link >= 0 || kernel->clsact)
		return fail(env, "attach fan-out", EALREADY);
	int link = -EOPNOTSUPP;
	if (strcmp(mode, "clsact") != 0) {
		link = bpf_link_create(kernel->programs[PROGRAM_FAN_OUT], interface,
				       ATTACH_TCX_EGRESS, NULL);
		if (link < 0)
			link = -errno;
	}
	if (link < 0 && strcmp(mode, "tcx") != 0) {
		int error = attach_clsact(kernel, interface, uint_of(env, values[2], 1));
		if (error)
			return fail(env, "attach fan-out by clsact", error);
		how = "clsact";
	} else if (link < 0) {
		return fail(env, "attach fan-out by TCX", link);
	} else {
		kernel->fan_out_link = link;
	}
	napi_create_string_utf8(env, how, NAPI_AUTO_LENGTH, &result);
	return result;
}

/* attachXdp(handle, interface, generic) */
EXPORTED(hf_attach_xdp)
{
	napi_value values[3];
	char name[NAME_BYTES_MAX];
	arguments(env, info, values, 3);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	text_of(env, values[1], name, sizeof(name));
	int interface = (int)if_nametoindex(name);
	if (interface == 0)
		return fail(env, "find interface", errno);
	if (kernel->xdp_link >= 0)
		return fail(env, "attach XDP", EALREADY);
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = bool_of(env, values[2]) ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int link = bpf_link_create(kernel->programs[PROGRAM_XDP], interface, BPF_XDP, &options);
	if (link < 0)
		return fail(env, "attach XDP", errno);
	kernel->xdp_link = link;
	return NULL;
}

/* attachFanIn(handle, fd): the filter goes when the socket is closed. */
EXPORTED(hf_attach_fan_in)
{
	napi_value values[2];
	arguments(env, info, values, 2);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	int program = kernel->programs[PROGRAM_SOCKET];
	if (setsockopt(int_of(env, values[1], -1), SOL_SOCKET, SO_ATTACH_BPF, &program,
		       sizeof(program)))
		return fail(env, "attach socket filter", errno);
	return NULL;
}

/* detachFanIn(fd): the socket lives on; from now on all frames come up. */
EXPORTED(hf_detach_fan_in)
{
	napi_value values[1];
	int unused = 0;
	arguments(env, info, values, 1);
	if (setsockopt(int_of(env, values[0], -1), SOL_SOCKET, SO_DETACH_FILTER, &unused,
		       sizeof(unused)) &&
	    errno != ENOENT)
		return fail(env, "detach socket filter", errno);
	return NULL;
}

static int detach_clsact(struct kernel *kernel)
{
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = kernel->filter.handle,
		    .priority = kernel->filter.priority);
	int error = bpf_tc_detach(&kernel->hook, &filter);
	kernel->clsact = false;
	return error;
}

void detach_all(struct kernel *kernel)
{
	if (kernel->fan_out_link >= 0)
		close(kernel->fan_out_link);
	if (kernel->xdp_link >= 0)
		close(kernel->xdp_link);
	kernel->fan_out_link = kernel->xdp_link = -1;
	/* The clsact qdisc stays: another node's filter may hang on it, and empty it costs nothing. */
	if (kernel->clsact)
		detach_clsact(kernel);
}

/* detach(handle): fan-out and XDP; a socket filter goes with its socket. */
EXPORTED(hf_detach)
{
	napi_value values[1];
	arguments(env, info, values, 1);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (kernel)
		detach_all(kernel);
	return NULL;
}

/* breakFanOut(handle): what an administrator's "link detach" does behind our back; for tests. */
EXPORTED(hf_break_fan_out)
{
	napi_value values[1];
	arguments(env, info, values, 1);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	int error = 0;
	if (kernel->clsact)
		error = detach_clsact(kernel);
	else if (bpf_link_detach(kernel->fan_out_link))
		error = errno;
	return error ? fail(env, "break fan-out", error) : NULL;
}
