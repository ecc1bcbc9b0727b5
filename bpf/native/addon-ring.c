/*
 * The ring of quorum events: drained into one ArrayBuffer, one JavaScript call per wake. The loop
 * polls the ring's own descriptor (level-triggered: what does not fit a batch wakes again). Without
 * uv.h at build time there is no wake-up, and the machine does not offer tier 2.
 */
#include "addon.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifndef HOLOFAST_WITHOUT_UV
#include <uv.h>
#endif

/* A wake hands over at most this many batches before other work of the loop gets its turn. */
#define BATCHES_PER_WAKE_MAX 4

struct consumer {
	napi_env env;
	struct kernel *owner;
	struct ring_buffer *ring;
	struct hf_event *batch;
	uint32_t capacity, count;
	napi_ref batch_ref, callback;
#ifndef HOLOFAST_WITHOUT_UV
	uv_poll_t poll;
	napi_async_context context;
	napi_async_cleanup_hook_handle cleanup;
	bool polling, leaving;
#endif
};

static int take_event(void *context, void *data, size_t size)
{
	struct consumer *consumer = context;
	if (size >= sizeof(struct hf_event))
		memcpy(&consumer->batch[consumer->count++], data, sizeof(struct hf_event));
	return consumer->count >= consumer->capacity ? -ENOBUFS : 0;
}

static void release_consumer(struct consumer *consumer)
{
	if (consumer->ring)
		ring_buffer__free(consumer->ring);
	if (consumer->batch_ref)
		napi_delete_reference(consumer->env, consumer->batch_ref);
	if (consumer->callback)
		napi_delete_reference(consumer->env, consumer->callback);
	consumer->ring = NULL;
	consumer->batch_ref = consumer->callback = NULL;
}

static struct consumer *consumer_new(napi_env env, struct kernel *kernel, napi_value batch)
{
	uint8_t *bytes;
	size_t length;
	if (!bytes_of(env, batch, &bytes, &length) || length < sizeof(struct hf_event))
		return NULL;
	struct consumer *consumer = calloc(1, sizeof(*consumer));
	if (!consumer)
		return NULL;
	consumer->env = env;
	consumer->owner = kernel;
	consumer->batch = (struct hf_event *)bytes;
	consumer->capacity = (uint32_t)(length / sizeof(struct hf_event));
	napi_create_reference(env, batch, 1, &consumer->batch_ref);
	consumer->ring =
		ring_buffer__new(kernel->maps[MAP_EVENTS], take_event, consumer, NULL);
	if (!consumer->ring) {
		release_consumer(consumer);
		free(consumer);
		return NULL;
	}
	return consumer;
}

/* drainEvents(handle, batch) -> count: without waiting; for the probe and for tests. */
EXPORTED(hf_drain_events)
{
	napi_value values[2];
	arguments(env, info, values, 2);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	struct consumer *consumer = kernel->consumer;
	if (!consumer)
		consumer = kernel->consumer = consumer_new(env, kernel, values[1]);
	if (!consumer)
		return fail(env, "open ring", errno ? errno : EINVAL);
	consumer->count = 0;
	ring_buffer__consume(consumer->ring);
	return int_value(env, consumer->count);
}

#ifdef HOLOFAST_WITHOUT_UV

const bool ring_wakes = false;

void consumer_close(struct consumer *consumer)
{
	consumer->owner->consumer = NULL;
	release_consumer(consumer);
	free(consumer);
}

EXPORTED(hf_on_events)
{
	(void)info;
	return fail(env, "built without uv.h: the ring cannot wake the event loop", ENOSYS);
}

#else

const bool ring_wakes = true;

static void call_back(struct consumer *consumer)
{
	napi_env env = consumer->env;
	napi_handle_scope scope;
	napi_value function, global, count;
	napi_open_handle_scope(env, &scope);
	napi_get_reference_value(env, consumer->callback, &function);
	napi_get_global(env, &global);
	napi_create_uint32(env, consumer->count, &count);
	consumer->count = 0;
	if (napi_make_callback(env, consumer->context, global, function, 1, &count, NULL) ==
	    napi_pending_exception) {
		napi_value error;
		napi_get_and_clear_last_exception(env, &error);
		napi_fatal_exception(env, error);
	}
	napi_close_handle_scope(env, scope);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	struct consumer *consumer = poll->data;
	for (int i = 0; i < BATCHES_PER_WAKE_MAX && consumer->polling; i++) {
		int result = ring_buffer__consume(consumer->ring);
		if (consumer->count > 0)
			call_back(consumer);
		if (result != -ENOBUFS)
			break;
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct consumer *consumer = handle->data;
	napi_remove_async_cleanup_hook(consumer->cleanup);
	free(consumer);
}

void consumer_close(struct consumer *consumer)
{
	bool polling = consumer->polling;
	if (consumer->leaving)
		return;
	consumer->leaving = true;
	consumer->owner->consumer = NULL;
	consumer->polling = false;
	if (polling)
		uv_poll_stop(&consumer->poll);
	release_consumer(consumer);
	if (polling) {
		napi_async_destroy(consumer->env, consumer->context);
		uv_close((uv_handle_t *)&consumer->poll, on_closed);
	} else {
		free(consumer);
	}
}

/* The environment ends while the ring is still polled: a worker that was terminated. */
static void on_exit_of_environment(napi_async_cleanup_hook_handle cleanup, void *data)
{
	(void)cleanup;
	consumer_close(data);
}

static napi_value start_polling(napi_env env, struct kernel *kernel, napi_value callback)
{
	struct consumer *consumer = kernel->consumer;
	napi_value name;
	uv_loop_t *loop;
	napi_create_string_utf8(env, "holofast", NAPI_AUTO_LENGTH, &name);
	napi_get_uv_event_loop(env, &loop);
	consumer->poll.data = consumer;
	int error = uv_poll_init(loop, &consumer->poll, kernel->maps[MAP_EVENTS]);
	if (error)
		return fail(env, "poll ring", error);
	napi_create_reference(env, callback, 1, &consumer->callback);
	napi_async_init(env, NULL, name, &consumer->context);
	napi_add_async_cleanup_hook(env, on_exit_of_environment, consumer, &consumer->cleanup);
	consumer->polling = true;
	uv_poll_start(&consumer->poll, UV_READABLE, on_readable);
	/* The node's socket keeps the process alive; waiting for quorums alone must not. */
	uv_unref((uv_handle_t *)&consumer->poll);
	return NULL;
}

/* onEvents(handle, batch, callback(count)): `batch` is filled before each call. */
EXPORTED(hf_on_events)
{
	napi_value values[3];
	arguments(env, info, values, 3);
	struct kernel *kernel = kernel_of(env, values[0]);
	if (!kernel)
		return NULL;
	if (kernel->consumer)
		return fail(env, "open ring", EALREADY);
	kernel->consumer = consumer_new(env, kernel, values[1]);
	if (!kernel->consumer)
		return fail(env, "open ring", errno ? errno : EINVAL);
	return start_polling(env, kernel, values[2]);
}

#endif
