/*
 * The native addon's front: argument helpers, the error text, what the machine can do, and the
 * table of exports. holofast.ts is its only user. Nothing here blocks, and nothing writes to
 * stderr: libbpf's log is kept and its tail travels in the error.
 */
#include "addon.h"
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LOG_BYTES_MAX 1024

/* Per thread: libbpf calls back in the thread that called it. */
static _Thread_local char log_tail[LOG_BYTES_MAX + 1];

/* Keeps the last bytes: the verifier's verdict stands at the end of its log. */
static int keep_log(enum libbpf_print_level level, const char *format, va_list values)
{
	char *message = NULL;
	if (level > LIBBPF_WARN)
		return 0;
	int length = vasprintf(&message, format, values);
	if (length < 0)
		return 0;
	size_t more = (size_t)length, skip = more > LOG_BYTES_MAX ? more - LOG_BYTES_MAX : 0;
	size_t have = strlen(log_tail), add = more - skip;
	if (have + add > LOG_BYTES_MAX) {
		size_t drop = have + add - LOG_BYTES_MAX;
		memmove(log_tail, log_tail + drop, have - drop + 1);
		have -= drop;
	}
	memcpy(log_tail + have, message + skip, add + 1);
	free(message);
	return length;
}

void collect_libbpf_log(void)
{
	libbpf_set_print(keep_log);
}

void forget_libbpf_log(void)
{
	log_tail[0] = 0;
}

napi_value fail(napi_env env, const char *what, int error)
{
	char text[ERROR_BYTES_MAX];
	if (error < 0)
		error = -error;
	snprintf(text, sizeof(text), "%s: %s%s%s", what, strerror(error), log_tail[0] ? "\n" : "",
		 log_tail);
	forget_libbpf_log();
	char code[16];
	snprintf(code, sizeof(code), "%d", error);
	napi_throw_error(env, code, text);
	return NULL;
}

size_t arguments(napi_env env, napi_callback_info info, napi_value *values, size_t max)
{
	size_t count = max;
	napi_get_cb_info(env, info, &count, values, NULL, NULL);
	return count;
}

int32_t int_of(napi_env env, napi_value value, int32_t fallback)
{
	int32_t result;
	return napi_get_value_int32(env, value, &result) == napi_ok ? result : fallback;
}

uint32_t uint_of(napi_env env, napi_value value, uint32_t fallback)
{
	uint32_t result;
	return napi_get_value_uint32(env, value, &result) == napi_ok ? result : fallback;
}

bool bool_of(napi_env env, napi_value value)
{
	bool result = false;
	napi_get_value_bool(env, value, &result);
	return result;
}

bool text_of(napi_env env, napi_value value, char *text, size_t size)
{
	size_t length;
	text[0] = 0;
	return napi_get_value_string_utf8(env, value, text, size, &length) == napi_ok &&
	       length + 1 < size;
}

bool bytes_of(napi_env env, napi_value value, uint8_t **data, size_t *length)
{
	bool is_array = false, is_buffer = false;
	napi_is_typedarray(env, value, &is_array);
	if (is_array) {
		napi_typedarray_type type;
		void *at;
		if (napi_get_typedarray_info(env, value, &type, length, &at, NULL, NULL) != napi_ok ||
		    (type != napi_uint8_array && type != napi_uint8_clamped_array))
			return false;
		*data = at;
		return true;
	}
	napi_is_arraybuffer(env, value, &is_buffer);
	return is_buffer &&
	       napi_get_arraybuffer_info(env, value, (void **)data, length) == napi_ok;
}

struct kernel *kernel_of(napi_env env, napi_value value)
{
	struct kernel *kernel = NULL;
	if (napi_get_value_external(env, value, (void **)&kernel) != napi_ok || kernel->closed) {
		napi_throw_error(env, NULL, "the kernel handle is closed");
		return NULL;
	}
	return kernel;
}

int index_of(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

void set_int(napi_env env, napi_value object, const char *name, int64_t value)
{
	napi_set_named_property(env, object, name, int_value(env, value));
}

void set_text(napi_env env, napi_value object, const char *name, const char *value)
{
	napi_value text;
	napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &text);
	napi_set_named_property(env, object, name, text);
}

void set_bool(napi_env env, napi_value object, const char *name, bool value)
{
	napi_value flag;
	napi_get_boolean(env, value, &flag);
	napi_set_named_property(env, object, name, flag);
}

napi_value int_value(napi_env env, int64_t value)
{
	napi_value result;
	napi_create_int64(env, value, &result);
	return result;
}

static uint64_t effective_capabilities(void)
{
	char line[256];
	unsigned long long set = 0;
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &set) == 1)
			break;
	if (file)
		fclose(file);
	return set;
}

EXPORTED(hf_system)
{
	(void)info;
	struct utsname names;
	napi_value result;
	uname(&names);
	napi_create_object(env, &result);
	uint64_t set = effective_capabilities();
	set_text(env, result, "kernel", names.release);
	set_text(env, result, "libbpf", libbpf_version_string());
	set_bool(env, result, "littleEndian", __BYTE_ORDER == __LITTLE_ENDIAN);
	set_bool(env, result, "ringWakes", ring_wakes);
	set_bool(env, result, "capNetAdmin", set >> 12 & 1);
	set_bool(env, result, "capSysAdmin", set >> 21 & 1);
	set_bool(env, result, "capPerfmon", set >> 38 & 1);
	set_bool(env, result, "capBpf", set >> 39 & 1);
	return result;
}

#define EXPORT(name, function) { name, NULL, function, NULL, NULL, NULL, napi_enumerable, NULL }

NAPI_MODULE_INIT()
{
	const napi_property_descriptor exported[] = {
		EXPORT("system", hf_system),
		EXPORT("open", hf_open),
		EXPORT("openPinned", hf_open_pinned),
		EXPORT("openAgain", hf_open_again),
		EXPORT("pin", hf_pin),
		EXPORT("close", hf_close),
		EXPORT("writeMap", hf_write_map),
		EXPORT("counters", hf_counters),
		EXPORT("slots", hf_slots),
		EXPORT("testRun", hf_test_run),
		EXPORT("ids", hf_ids),
		EXPORT("programAlive", hf_program_alive),
		EXPORT("attachFanOut", hf_attach_fan_out),
		EXPORT("attachXdp", hf_attach_xdp),
		EXPORT("attachFanIn", hf_attach_fan_in),
		EXPORT("detachFanIn", hf_detach_fan_in),
		EXPORT("detach", hf_detach),
		EXPORT("breakFanOut", hf_break_fan_out),
		EXPORT("onEvents", hf_on_events),
		EXPORT("drainEvents", hf_drain_events),
		EXPORT("udpSocket", hf_udp_socket),
		EXPORT("closeFd", hf_close_fd),
		EXPORT("sendTo", hf_send_to),
		EXPORT("sendMany", hf_send_many),
		EXPORT("sendBatch", hf_send_batch),
		EXPORT("receive", hf_receive),
		EXPORT("interfaceInfo", hf_interface),
		EXPORT("dropPrivileges", hf_drop_privileges),
	};
	collect_libbpf_log();
	napi_define_properties(env, exports, sizeof(exported) / sizeof(*exported), exported);
	return exports;
}
