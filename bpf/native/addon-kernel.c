/*
 * Loading the BPF object (or opening its pins), its maps, and BPF_PROG_RUN. Owns the handle: all
 * that it holds are file descriptors and one mapping, so that a killed process leaves nothing.
 */
#include "addon.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_BYTES (sizeof(struct hf_slot) * HF_SLOTS_MAX)
#define TEST_OUT_BYTES_MAX 65536
/* Attempts to load the whole object; libbpf itself repeats each program a few times. */
#define LOAD_TRIES_MAX 5

const char *const program_names[PROGRAMS_MAX] = { "hf_fan_out", "hf_fan_in_socket",
						  "hf_fan_in_xdp" };
const char *const map_names[MAPS_MAX] = { "groups", "slots", "settings", "counters", "events" };

static void finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	struct kernel *kernel = data;
	/* Never closed by name, so views of the mapping may still be about: the process keeps it. */
	kernel->slots = NULL;
	kernel_close(kernel);
	free(kernel);
}

static struct kernel *kernel_new(napi_env env)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	if (!kernel)
		return NULL;
	kernel->env = env;
	kernel->fan_out_link = kernel->xdp_link = -1;
	for (int i = 0; i < PROGRAMS_MAX; i++)
		kernel->programs[i] = -1;
	for (int i = 0; i < MAPS_MAX; i++)
		kernel->maps[i] = -1;
	return kernel;
}

static napi_value discard(napi_env env, struct kernel *kernel, const char *what, int error)
{
	kernel_close(kernel);
	free(kernel);
	return fail(env, what, error);
}

static napi_value wrap(napi_env env, struct kernel *kernel)
{
	napi_value result;
	napi_create_external(env, kernel, finalize, NULL, &result);
	return result;
}

/*
 * The verifier fails with EAGAIN when a signal is pending, and a profiler sends one every
 * millisecond: block this thread's signals. A signal that cannot be blocked (a tracer attaches)
 * is handled by a retry.
 */
static int load_object(struct kernel *kernel, const char *path, const char **what)
{
	sigset_t all, before;
	int error = -EAGAIN;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int i = 0; i < LOAD_TRIES_MAX && error == -EAGAIN; i++) {
		forget_libbpf_log();
		*what = "open BPF object";
		kernel->object = bpf_object__open_file(path, NULL);
		if (!kernel->object) {
			error = -errno;
			break;
		}
		*what = "load BPF object";
		error = bpf_object__load(kernel->object);
		if (error) {
			bpf_object__close(kernel->object);
			kernel->object = NULL;
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* open(objectPath): loads and verifies; nothing is attached yet. */
EXPORTED(hf_open)
{
	napi_value values[1];
	char path[PATH_BYTES_MAX];
	arguments(env, info, values, 1);
	if (!text_of(env, values[0], path, sizeof(path)))
		return fail(env, "object path", EINVAL);
	struct kernel *kernel = kernel_new(env);
	if (!kernel)
		return fail(env, "open", ENOMEM);
	const char *what;
	int error = load_object(kernel, path, &what);
	if (error)
		return discard(env, kernel, what, error);
	for (int i = 0; i < PROGRAMS_MAX; i++)
		kernel->programs[i] = bpf_program__fd(
			bpf_object__find_program_by_name(kernel->object, program_names[i]));
	for (int i = 0; i < MAPS_MAX; i++)
		kernel->maps[i] = bpf_object__find_map_fd_by_name(kernel->object, map_names[i]);
	return wrap(env, kernel);
}

static int open_pin(const char *directory, const char *name)
{
	char path[PATH_BYTES_MAX + NAME_BYTES_MAX];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* openPinned(directory): needs no capability, only permission on the pins. */
EXPORTED(hf_open_pinned)
{
	napi_value values[1];
	char directory[PATH_BYTES_MAX];
	arguments(env, info, values, 1);
	if (!text_of(env, values[0], directory, sizeof(directory)))
		return fail(env, "pin directory", EINVAL);
	forget_libbpf_log();
	struct kernel *kernel = kernel_new(env);
	if (!kernel)
		return fail(env, "openPinned", ENOMEM);
	for (int i = 0; i < PROGRAMS_MAX; i++) {
		kernel->programs[i] = open_pin(directory, program_names[i]);
		if (kernel->programs[i] < 0)
			return discard(env, kernel, "open pinned program", kernel->programs[i]);
	}
	for (int i = 0; i < MAPS_MAX; i++) {
		kernel->maps[i] = open_pin(directory, map_names[i]);
		if (kernel->maps[i] < 0)
			return discard(env, kernel, "open pinned map", kernel->maps[i]);
	}
	return wrap(env, kernel);
}

/* openAgain(handle): the same programs and maps, attached nowhere; needs no capability. */
EXPORTED(hf_open_again)
{
	napi_value values[1];
	arguments(env, info, values, 1);
	struct kernel *loaded = kernel_of(env, values[0]);
	if (!loaded)
		return NULL;
	struct kernel *kernel = kernel_new(env);
	if (!kernel)
		return fail(env, "openAgain", ENOMEM);
	for (int i = 0; i < PROGRAMS_MAX; i++) {
		kernel->programs[i] = fcntl(loaded->programs[i], F_DUPFD_CLOEXEC, 0);
		if (kernel->programs[i] < 0)
			return discard(env, kernel, "duplicate program", errno);
	}
	for (int i = 0; i < MAPS_MAX; i++) {
		kernel->maps[i] = fcntl(loaded->maps[i], F_DUPFD_CLOEXEC, 0);
		if (kernel->maps[i] < 0)
			return discard(env, kernel, "duplicate map", errno);
	}
	return wrap(env, kernel);
}

static int pin_one(int fd, const char *directory, const char *name, uid_t user, gid_t group)
{
	char path[PATH_BYTES_MAX + NAME_BYTES_MAX];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (bpf_obj_pin(fd, path) || chown(path, user, group) || chmod(path, 0600))
		return -errno;
	return 0;
}

/* pin(handle, directory, uid, gid): programs, maps and links; the directory must be new. */
EXPORTED(hf_pin)
{
	napi_value values[4];
	char directory[PATH_BYTES_MAX];
	arguments(env, info, values, 4);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	uid_t user = uint_of(env, values[2], 0);
	gid_t group = uint_of(env, values[3], 0);
	if (!text_of(env, values[1], directory, sizeof(directory)))
		return fail(env, "pin directory", EINVAL);
	if (mkdir(directory, 0700) || chown(directory, user, group))
		return fail(env, "make pin directory", errno);
	int error = 0;
	for (int i = 0; i < PROGRAMS_MAX && !error; i++)
		error = pin_one(kernel->programs[i], directory, program_names[i], user, group);
	for (int i = 0; i < MAPS_MAX && !error; i++)
		error = pin_one(kernel->maps[i], directory, map_names[i], user, group);
	if (!error && kernel->fan_out_link >= 0)
		error = pin_one(kernel->fan_out_link, directory, "fan_out_link", user, group);
	if (!error && kernel->xdp_link >= 0)
		error = pin_one(kernel->xdp_link, directory, "xdp_link", user, group);
	return error ? fail(env, "pin", error) : NULL;
}

void kernel_close(struct kernel *kernel)
{
	if (kernel->closed)
		return;
	kernel->closed = true;
	detach_all(kernel);
	if (kernel->consumer)
		consumer_close(kernel->consumer);
	if (kernel->slots)
		munmap(kernel->slots, SLOTS_BYTES);
	kernel->slots = NULL;
	if (kernel->object) {
		bpf_object__close(kernel->object);
		kernel->object = NULL;
		return;
	}
	for (int i = 0; i < PROGRAMS_MAX; i++)
		if (kernel->programs[i] >= 0)
			close(kernel->programs[i]);
	for (int i = 0; i < MAPS_MAX; i++)
		if (kernel->maps[i] >= 0)
			close(kernel->maps[i]);
}

/* close(handle): idempotent; views of the slots become empty before the memory goes. */
EXPORTED(hf_close)
{
	napi_value values[1], buffer;
	struct kernel *kernel = NULL;
	arguments(env, info, values, 1);
	if (napi_get_value_external(env, values[0], (void **)&kernel) != napi_ok || kernel->closed)
		return NULL;
	if (kernel->slots_ref) {
		if (napi_get_reference_value(env, kernel->slots_ref, &buffer) == napi_ok && buffer)
			napi_detach_arraybuffer(env, buffer);
		napi_delete_reference(env, kernel->slots_ref);
		kernel->slots_ref = NULL;
	}
	kernel_close(kernel);
	return NULL;
}

/* writeMap(handle, name, key, bytes): the value's size must be the map's. */
EXPORTED(hf_write_map)
{
	static const size_t sizes[MAPS_MAX] = { sizeof(struct hf_group), sizeof(struct hf_slot),
						sizeof(struct hf_settings), 0, 0 };
	napi_value values[4];
	char name[NAME_BYTES_MAX];
	uint8_t *bytes;
	size_t length;
	arguments(env, info, values, 4);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	text_of(env, values[1], name, sizeof(name));
	uint32_t key = uint_of(env, values[2], UINT32_MAX);
	int map = index_of(map_names, MAPS_MAX, name);
	if (map < 0 || !bytes_of(env, values[3], &bytes, &length) || length == 0 ||
	    length != sizes[map])
		return fail(env, "write map", EINVAL);
	if (bpf_map_update_elem(kernel->maps[map], &key, bytes, BPF_ANY))
		return fail(env, "write map", errno);
	return NULL;
}

/* counters(handle): the sums over all CPUs, by name. */
EXPORTED(hf_counters)
{
	napi_value values[1], result;
	arguments(env, info, values, 1);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	int cpus = libbpf_num_possible_cpus();
	if (cpus <= 0)
		return fail(env, "count CPUs", cpus);
	struct hf_counters *per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	uint32_t key = 0;
	if (!per_cpu || bpf_map_lookup_elem(kernel->maps[MAP_COUNTERS], &key, per_cpu)) {
		free(per_cpu);
		return fail(env, "read counters", errno);
	}
	napi_create_object(env, &result);
#define SUM(field)                                                                                 \
	{                                                                                          \
		uint64_t sum = 0;                                                                  \
		for (int cpu = 0; cpu < cpus; cpu++)                                               \
			sum += per_cpu[cpu].field;                                                 \
		set_int(env, result, #field, (int64_t)sum);                                        \
	}
	HF_COUNTERS(SUM)
	free(per_cpu);
	return result;
}

static void keep_mapping(napi_env env, void *data, void *hint)
{
	/* close() or the handle's finalizer unmaps; the buffer only shows the memory. */
	(void)env;
	(void)data;
	(void)hint;
}

/* slots(handle): the mapped slots, always the same ArrayBuffer. */
EXPORTED(hf_slots)
{
	napi_value values[1], result;
	arguments(env, info, values, 1);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	if (kernel->slots_ref) {
		napi_get_reference_value(env, kernel->slots_ref, &result);
		return result;
	}
	void *at = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			kernel->maps[MAP_SLOTS], 0);
	if (at == MAP_FAILED)
		return fail(env, "map slots", errno);
	kernel->slots = at;
	if (napi_create_external_arraybuffer(env, at, SLOTS_BYTES, keep_mapping, NULL, &result) !=
	    napi_ok)
		return fail(env, "wrap slots", ENOMEM);
	napi_create_reference(env, result, 1, &kernel->slots_ref);
	return result;
}

/* testRun(handle, program, packet) -> {verdict, packet}: BPF_PROG_RUN, for tests. */
EXPORTED(hf_test_run)
{
	static _Thread_local uint8_t out[TEST_OUT_BYTES_MAX];
	napi_value values[3], result, packet;
	char name[NAME_BYTES_MAX];
	uint8_t *in;
	size_t length;
	arguments(env, info, values, 3);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	text_of(env, values[1], name, sizeof(name));
	int program = index_of(program_names, PROGRAMS_MAX, name);
	if (program < 0 || !bytes_of(env, values[2], &in, &length))
		return fail(env, "test run", EINVAL);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = (uint32_t)length,
		    .data_out = out, .data_size_out = sizeof(out), .repeat = 1);
	int error = bpf_prog_test_run_opts(kernel->programs[program], &run);
	if (error)
		return fail(env, "test run", error);
	napi_create_object(env, &result);
	set_int(env, result, "verdict", (int32_t)run.retval);
	napi_create_buffer_copy(env, run.data_size_out, out, NULL, &packet);
	napi_set_named_property(env, result, "packet", packet);
	return result;
}

static int program_id(int fd, uint32_t *id)
{
	struct bpf_prog_info info;
	uint32_t size = sizeof(info);
	memset(&info, 0, sizeof(info));
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*id = info.id;
	return 0;
}

/* ids(handle) -> {fanOutProgram, socketProgram, slotsMap}: names for other processes. */
EXPORTED(hf_ids)
{
	napi_value values[1], result;
	struct bpf_map_info map;
	uint32_t fan_out = 0, fan_in = 0, size = sizeof(map);
	arguments(env, info, values, 1);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	memset(&map, 0, sizeof(map));
	if (program_id(kernel->programs[PROGRAM_FAN_OUT], &fan_out) ||
	    program_id(kernel->programs[PROGRAM_SOCKET], &fan_in) ||
	    bpf_obj_get_info_by_fd(kernel->maps[MAP_SLOTS], &map, &size))
		return fail(env, "object ids", errno);
	napi_create_object(env, &result);
	set_int(env, result, "fanOutProgram", fan_out);
	set_int(env, result, "socketProgram", fan_in);
	set_int(env, result, "slotsMap", map.id);
	return result;
}

/* programAlive(id): whether the kernel still holds the program; needs CAP_SYS_ADMIN. */
EXPORTED(hf_program_alive)
{
	napi_value values[1], result;
	arguments(env, info, values, 1);
	int fd = bpf_prog_get_fd_by_id(uint_of(env, values[0], 0));
	int error = errno;
	if (fd < 0 && error != ENOENT)
		return fail(env, "look for program", error);
	if (fd >= 0)
		close(fd);
	napi_get_boolean(env, fd >= 0, &result);
	return result;
}
