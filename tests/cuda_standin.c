/* A stand-in for the CUDA driver (libcuda.so.1): contexts, streams and events on a clock of its own.
 *
 * It keeps to the driver's manual where the harness leans on it:
 * - before cuInit every function says CUDA_ERROR_NOT_INITIALIZED, and asking for a context's state makes none;
 * - work on a stream starts when the work before it on that stream is done; work on different streams overlaps;
 * - the default (legacy) stream waits for the blocking streams and they for it, never for non-blocking ones, which is
 *   what torch makes;
 * - an event has the time at which its stream reached it; the time between two events that have not both happened is
 *   CUDA_ERROR_NOT_READY;
 * - cuCtxSynchronize returns when every stream of the current context is done;
 * - code that failed on the GPU is reported by whoever waits next, and for ever after.
 *
 * Time is virtual, in microseconds: it passes when something is waited for, when the host says so, and one microsecond
 * with every call. So nothing here depends on the machine. The standin_ functions are what a framework would do.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES 2
#define STREAMS 8
#define API __attribute__((visibility("default")))

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, INVALID_CONTEXT = 201, NOT_READY = 600 };

typedef struct { int is_made, is_blocking; double done_us; } Stream;
typedef struct { int is_active, retained, is_failed; Stream streams[STREAMS]; } Context;
typedef struct { Context *context; double at_us; int is_recorded; } Event;

static int initialised;
static double now_us;
static Context contexts[DEVICES];
static Context *stack[16];
static int depth;
static int sticky;
static long l2_bytes = 1 << 20, free_bytes = 64 << 20;
static char journal[1 << 16];

static void note(const char *what) {
    if (strlen(journal) + strlen(what) + 2 < sizeof journal) strcat(strcat(journal, what), " ");
}
static int enter(void) {
    now_us += 1;
    return initialised ? sticky : NOT_INITIALIZED;
}
static Context *current(void) { return depth ? stack[depth - 1] : NULL; }
static double later(double a, double b) { return a > b ? a : b; }

/* When the next piece of work on a stream can start. Stream 0 is the default one. */
static double start_of(Context *context, int stream) {
    double start = later(now_us, context->streams[stream].done_us);
    for (int i = 0; i < STREAMS; i++)
        if (context->streams[i].is_blocking && (stream == 0 || (i == 0 && context->streams[stream].is_blocking)))
            start = later(start, context->streams[i].done_us);
    return start;
}
static void enqueue(Context *context, int stream, double us) {
    double start = start_of(context, stream);
    context->streams[stream].done_us = start + us;
}

API int cuInit(unsigned flags) { initialised = 1; return flags ? INVALID_VALUE : SUCCESS; }
API int cuDeviceGetCount(int *count) { int code = enter(); *count = DEVICES; return code; }
API int cuDeviceGet(int *device, int ordinal) { int code = enter(); *device = ordinal; return code; }
API int cuDeviceGetAttribute(int *value, int attribute, int device) {
    int code = enter();
    (void)device;
    *value = attribute == 38 ? (int)l2_bytes : 0;
    return code;
}
API int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    int code = enter();
    *flags = 0;
    *active = contexts[device].is_active;
    return code;
}
API int cuDevicePrimaryCtxRetain(void **context, int device) {
    int code = enter();
    if (code) return code;
    contexts[device].is_active = 1;
    contexts[device].streams[0] = (Stream){1, 1, contexts[device].streams[0].done_us};
    contexts[device].retained++;
    *context = &contexts[device];
    return SUCCESS;
}
API int cuCtxPushCurrent_v2(void *context) { int code = enter(); stack[depth++] = context; return code; }
API int cuCtxPopCurrent_v2(void **context) {
    int code = enter();
    if (!depth) return INVALID_CONTEXT;
    *context = stack[--depth];
    return code;
}
API int cuCtxSynchronize(void) {
    int code = enter();
    Context *context = current();
    if (code) return code;
    if (!context) return INVALID_CONTEXT;
    for (int i = 0; i < STREAMS; i++) now_us = later(now_us, context->streams[i].done_us);
    note(context == contexts ? "wait" : "wait1");
    if (context->is_failed) sticky = 700;
    return sticky;
}
API int cuCtxResetPersistingL2Cache(void) { int code = enter(); note("reset"); return code; }
API int cuEventCreate(void **event, unsigned flags) {
    int code = enter();
    Event *made = calloc(1, sizeof *made);
    (void)flags;
    made->context = current();
    *event = made;
    return made->context ? code : INVALID_CONTEXT;
}
API int cuEventRecord(void *handle, void *stream) {
    int code = enter();
    Event *event = handle;
    if (current() != event->context) return INVALID_CONTEXT;
    event->at_us = start_of(event->context, (int)(intptr_t)stream);
    event->is_recorded = 1;
    note("record");
    return code;
}
API int cuEventElapsedTime(float *milliseconds, void *first, void *last) {
    int code = enter();
    Event *a = first, *b = last;
    if (!a->is_recorded || !b->is_recorded) return INVALID_VALUE;
    if (later(a->at_us, b->at_us) > now_us) return NOT_READY;
    *milliseconds = (float)((b->at_us - a->at_us) / 1000);
    return code;
}
API int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    int code = enter();
    if ((long)bytes > free_bytes) return OUT_OF_MEMORY;
    free_bytes -= (long)bytes;
    *address = 4096 + bytes;
    note("alloc");
    return code;
}
API int cuMemFree_v2(uint64_t address) { int code = enter(); free_bytes += (long)address - 4096; note("free"); return code; }
API int cuMemsetD8Async(uint64_t address, unsigned char value, size_t bytes, void *stream) {
    int code = enter();
    (void)address, (void)value;
    enqueue(current(), (int)(intptr_t)stream, (double)bytes / 1e6);
    note("memset");
    return code;
}
API int cuGetErrorString(int code, const char **words) {
    *words = code == 700 ? "an illegal memory access was encountered" : "some error";
    return SUCCESS;
}

/* What a framework does. */
API void standin_wake(int device) {
    void *context;
    cuInit(0);
    cuDevicePrimaryCtxRetain(&context, device);
}
API int standin_stream(int device, int is_blocking) {
    for (int i = 1; i < STREAMS; i++)
        if (!contexts[device].streams[i].is_made) {
            contexts[device].streams[i] = (Stream){1, is_blocking, 0};
            return i;
        }
    return -1;
}
API void standin_launch(int device, int stream, double us) {
    now_us += 1;
    enqueue(&contexts[device], stream, us);
    note(stream ? "side" : "kernel");
}
API void standin_join(int device, int stream) { /* the default stream waits for this one, as by wait_stream */
    Context *context = &contexts[device];
    context->streams[0].done_us = later(context->streams[0].done_us, context->streams[stream].done_us);
}
API void standin_fail(int device) { contexts[device].is_failed = 1; }
API void standin_use_memory(long bytes) { free_bytes -= bytes; }
API void standin_pass(double us) { now_us += us; }
API double standin_now(void) { return now_us; }
API const char *standin_journal(void) { return journal; }
API void standin_forget(void) { journal[0] = 0; }
