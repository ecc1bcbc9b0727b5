/*
 * Inner header of the native addon: the kernel handle, the argument helpers and the functions that
 * addon.c exports. Nothing outside the C files of bpf/ includes it.
 */
#ifndef HOLOFAST_ADDON_H
#define HOLOFAST_ADDON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 8
#include <bpf/libbpf.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include "holofast.h"

#define PROGRAMS_MAX 3
#define MAPS_MAX 5
#define NAME_BYTES_MAX 64
#define PATH_BYTES_MAX 512
#define ERROR_BYTES_MAX 2048

enum { PROGRAM_FAN_OUT, PROGRAM_SOCKET, PROGRAM_XDP };
enum { MAP_GROUPS, MAP_SLOTS, MAP_SETTINGS, MAP_COUNTERS, MAP_EVENTS };

struct consumer;

/* One loaded object. Everything in it is a file descriptor: it dies with the process. */
struct kernel {
	napi_env env;
	struct bpf_object *object; /* NULL when opened from pins */
	int programs[PROGRAMS_MAX];
	int maps[MAPS_MAX];
	int fan_out_link, xdp_link;
	bool clsact;
	struct bpf_tc_hook hook;
	struct bpf_tc_opts filter;
	void *slots;
	napi_ref slots_ref;
	struct consumer *consumer;
	bool closed;
};

extern const char *const program_names[PROGRAMS_MAX];
extern const char *const map_names[MAPS_MAX];

/* Throws `what: reason`, and the tail of libbpf's log when there is one. Always returns NULL. */
napi_value fail(napi_env env, const char *what, int error);
void collect_libbpf_log(void);
void forget_libbpf_log(void);

size_t arguments(napi_env env, napi_callback_info info, napi_value *values, size_t max);
int32_t int_of(napi_env env, napi_value value, int32_t fallback);
uint32_t uint_of(napi_env env, napi_value value, uint32_t fallback);
bool bool_of(napi_env env, napi_value value);
bool text_of(napi_env env, napi_value value, char *text, size_t size);
bool bytes_of(napi_env env, napi_value value, uint8_t **data, size_t *length);
/* The open kernel behind a handle; throws and returns NULL when it is closed. */
struct kernel *kernel_of(napi_env env, napi_value value);
int index_of(const char *const *names, int count, const char *name);
void set_int(napi_env env, napi_value object, const char *name, int64_t value);
void set_text(napi_env env, napi_value object, const char *name, const char *value);
void set_bool(napi_env env, napi_value object, const char *name, bool value);
napi_value int_value(napi_env env, int64_t value);

void kernel_close(struct kernel *kernel);
void consumer_close(struct consumer *consumer);

#define EXPORTED(name) napi_value name(napi_env env, napi_callback_info info)
/* addon-kernel.c */
EXPORTED(hf_open);
EXPORTED(hf_open_pinned);
EXPORTED(hf_open_again);
EXPORTED(hf_pin);
EXPORTED(hf_close);
EXPORTED(hf_write_map);
EXPORTED(hf_counters);
EXPORTED(hf_slots);
EXPORTED(hf_test_run);
EXPORTED(hf_ids);
EXPORTED(hf_program_alive);
/* addon-attach.c */
EXPORTED(hf_attach_fan_out);
EXPORTED(hf_attach_xdp);
EXPORTED(hf_attach_fan_in);
EXPORTED(hf_detach_fan_in);
EXPORTED(hf_detach);
EXPORTED(hf_break_fan_out);
void detach_all(struct kernel *kernel);
/* addon-ring.c */
EXPORTED(hf_on_events);
EXPORTED(hf_drain_events);
extern const bool ring_wakes;
/* addon-socket.c */
EXPORTED(hf_udp_socket);
EXPORTED(hf_close_fd);
EXPORTED(hf_send_to);
EXPORTED(hf_send_many);
EXPORTED(hf_send_batch);
EXPORTED(hf_receive);
EXPORTED(hf_interface);
/* addon-privileges.c */
EXPORTED(hf_drop_privileges);
/* addon.c */
EXPORTED(hf_system);

#endif
