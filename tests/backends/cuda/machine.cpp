// A GPU of one core. Each thread of a block is a fiber: it runs until it meets a barrier, then the next one does.
// A warp goes as far as it can before another begins, and a block before another of its grid: what is right only
// because threads happen to keep step is seen. Memory and shared memory end where no page is.
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fibers.h"

namespace {

const int WARP = 32;
const int PATIENCE = 100;  // rounds of all blocks in which nothing but waiting is seen

char message[400];

void say(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
}

// -- faults ------------------------------------------------------------------------------

struct sigaction before_segv, before_bus, before_fpe;

void fault(int signal, siginfo_t* info, void*) {
    if (!current) {  // not a kernel's: what was before this sees to it
        sigaction(signal, signal == SIGSEGV ? &before_segv : signal == SIGBUS ? &before_bus : &before_fpe, nullptr);
        return;
    }
    char* place = static_cast<char*>(info->si_addr);
    unsigned block = current->block->index, thread = current->number;
    const Region& shared = *current->block->shared;
    const Region* found = nullptr;
    for (auto& [start, region] : memory)
        if (region.holds(place)) found = &region;
    if (signal == SIGFPE)
        say("thread %u of block %u divides by zero", thread, block);
    else if (shared.holds(place))
        say("thread %u of block %u reaches byte %td of its %zu bytes of shared memory", thread, block,
            place - shared.start, shared.size);
    else if (found)
        say("thread %u of block %u reaches byte %td of an array of %zu bytes", thread, block, place - found->start,
            found->size);
    else if (place >= current->stack - PAGE && place < current->stack)
        say("thread %u of block %u takes more than %zu bytes of stack", thread, block, STACK);
    else
        say("thread %u of block %u reaches address %p, where no array is", thread, block, info->si_addr);
    current->state = FAULTED;
    to_scheduler();
}

struct Handlers {
    stack_t old_stack;
    Handlers() {
        static char own[64 * 1024];
        stack_t stack = {};
        stack.ss_sp = own;
        stack.ss_size = sizeof own;
        sigaltstack(&stack, &old_stack);
        struct sigaction action = {};
        action.sa_sigaction = fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigaction(SIGSEGV, &action, &before_segv);
        sigaction(SIGBUS, &action, &before_bus);
        sigaction(SIGFPE, &action, &before_fpe);
    }
    ~Handlers() {
        sigaction(SIGSEGV, &before_segv, nullptr);
        sigaction(SIGBUS, &before_bus, nullptr);
        sigaction(SIGFPE, &before_fpe, nullptr);
        sigaltstack(&old_stack, nullptr);
    }
};

// -- the order of things -----------------------------------------------------------------

// Numbers below n: 0 ascending, 1 descending, from 2 on shuffled by that number.
std::vector<int> ordered(int n, unsigned order) {
    std::vector<int> numbers(n);
    for (int i = 0; i < n; ++i) numbers[i] = order == 1 ? n - 1 - i : i;
    uint64_t state = order * 0x9E3779B97F4A7C15ull;
    for (int i = n - 1; order >= 2 && i > 0; --i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        std::swap(numbers[i], numbers[(state >> 33) % (i + 1)]);
    }
    return numbers;
}

bool same(const char* a, const char* b) { return a == b || !std::strcmp(a, b); }

// Let go those lanes that all the lanes they name have come to meet, and see to what they exchange.
bool release(Fiber* lanes, int n) {
    bool released = false;
    for (int first = 0; first < n; ++first) {
        if (lanes[first].state != AT_WARP) continue;
        unsigned mask = lanes[first].mask, come = 0;
        for (int i = 0; i < n; ++i)
            if (lanes[i].state == AT_WARP && lanes[i].mask == mask && same(lanes[i].where, lanes[first].where))
                come |= 1u << i;
        // A block's last warp may be a part of one.
        unsigned wanted = n == WARP ? mask : mask & ((1u << n) - 1);
        if ((come & wanted) != wanted) continue;
        uint64_t values[WARP], ballot = 0;
        for (int i = 0; i < n; ++i) {
            values[i] = lanes[i].value;
            if ((wanted >> i & 1) && values[i]) ballot |= 1ull << i;
        }
        for (int i = 0; i < n; ++i) {
            if (!(wanted >> i & 1)) continue;
            bool there = wanted >> lanes[i].lane & 1;
            lanes[i].value = lanes[i].meeting == BALLOT ? ballot : there ? values[lanes[i].lane] : ~0ull;
            lanes[i].state = READY;
        }
        released = true;
    }
    return released;
}

enum Outcome { ENDED, WAITS, FAILED };

// Run a block as far as it goes by itself; if hasty, to the first thread that waits for another block. moved: whether
// anything but waiting for others was seen.
Outcome run(Block& block, const std::vector<int>& warps, const std::vector<int>& order, bool hasty, bool& moved) {
    std::vector<Fiber>& fibers = block.fibers;
    int n = int(fibers.size());
    for (Fiber& fiber : fibers)
        if (fiber.state == SPINNING) fiber.state = READY;
    for (;;) {
        for (int warp : warps) {
            Fiber* lanes = &fibers[warp * WARP];
            int many = n - warp * WARP < WARP ? n - warp * WARP : WARP;
            do {
                for (int i : order) {
                    if (i >= many || lanes[i].state != READY) continue;
                    const char* before = lanes[i].where;
                    resume(lanes[i]);
                    if (lanes[i].state == FAULTED) return FAILED;
                    moved |= lanes[i].state != SPINNING || lanes[i].where != before;
                    if (hasty && lanes[i].state == SPINNING) return WAITS;
                }
            } while (release(lanes, many));
        }
        int done = 0, spinning = 0;
        Fiber* waiting = nullptr;
        for (Fiber& fiber : fibers) {
            done += fiber.state == DONE;
            spinning += fiber.state == SPINNING;
            if (fiber.state == AT_WARP || (fiber.state == AT_BARRIER && !(waiting && waiting->state == AT_WARP)))
                waiting = &fiber;
        }
        if (done == n) return ENDED;
        if (spinning) return WAITS;
        for (Fiber& fiber : fibers)
            if (fiber.state == DONE || fiber.state == AT_WARP) {
                say("the barrier at %s is not reached by all threads %s: %d of %d have ended", waiting->where,
                    waiting->state == AT_WARP ? "of the warp that it names" : "of the block", done, n);
                return FAILED;
            } else if (!same(fiber.where, waiting->where)) {
                say("threads of one block wait at two barriers: %s and %s", fiber.where, waiting->where);
                return FAILED;
            }
        for (Fiber& fiber : fibers) fiber.state = READY;
        moved = true;
    }
}

bool copies_at_once;

std::vector<unsigned> come_to_clusters;  // threads that have come to barriers of a cluster, by its number

void land(const Copy& copy) {
    for (int i = 0; i < copy.of; ++i) copy.to[i] = i < copy.count ? copy.from[i] : 0.0f;
}

}  // namespace

extern "C" {

// Memory of so many bytes, aligned to 256, each of them `poison`.
void* emulated_allocate(size_t bytes, int poison) {
    Region region(bytes, 256);
    std::memset(region.start, poison, bytes);
    memory.emplace(region.start, region);
    return region.start;
}

void emulated_free(char* start) {
    memory.at(start).free();
    memory.erase(start);
}

// Where the memory begins that holds an address, and how many bytes it has; null and 0 where none does.
char* emulated_memory(char* address, size_t* size) {
    const Region* found = region_of(address);
    *size = found ? found->size : 0;
    return found ? found->start : nullptr;
}

float* emulated_shared() { return reinterpret_cast<float*>(current->block->shared->start); }

void emulated_barrier(const char* where) { yield_as(AT_BARRIER, where); }

void emulated_spin(const char* where) { yield_as(SPINNING, where); }

// All threads of the blocks that have one place along the grid's second axis wait for each other: they are a cluster.
void emulated_cluster_barrier(const char* where) {
    unsigned& come = come_to_clusters[current->block->index / emulated_blocks.x];
    unsigned all = emulated_blocks.x * emulated_threads.x, until = (come++ / all + 1) * all;
    while (int(come - until) < 0) yield_as(SPINNING, where);
}

unsigned long long emulated_warp(Meeting meeting, unsigned mask, unsigned long long value, int lane,
                                 const char* where) {
    current->meeting = meeting;
    current->mask = mask;
    current->value = value;
    current->lane = lane;
    yield_as(AT_WARP, where);
    return current->value;
}

// Floats to shared memory, `count` and zeros up to four, under way until they are awaited. Whether they come at once
// or at the last moment is up to the device: half of the orders have it one way.
void emulated_copy(float* to, const float* from, int count, int of) {
    if (copies_at_once)
        land({to, from, count, of});
    else
        current->copies.back().push_back({to, from, count, of});
}

void emulated_close_copies() { current->copies.push_back({}); }

void emulated_await_copies(int left) {
    auto& groups = current->copies;
    int closed = int(groups.size()) - 1, landing = closed > left ? closed - left : 0;
    for (int group = 0; group < landing; ++group)
        for (const Copy& copy : groups[size_t(group)]) land(copy);
    groups.erase(groups.begin(), groups.begin() + landing);
}

// The rest of a launch is told in emulator.py. kinds: of the arguments, a p for each pointer. along, rows: blocks of
// the grid's two axes. at_once: blocks that run together. Null where all went well, else what did not.
const char* emulated_launch(void (*kernel)(const char*), const char* arguments, const char* kinds, int along, int rows,
                            int threads, int bytes, unsigned order, int at_once, int poison) {
    static std::vector<Block> running;
    const int blocks = along * rows;
    for (int i = 0; kinds[i]; ++i) {
        if (kinds[i] != 'p') continue;
        char* address;
        std::memcpy(&address, arguments + 8 * i, 8);
        if (!region_of(address)) return say("argument %d, %p, is no address of memory that is there", i, address), message;
    }
    entry = kernel;
    given = arguments;
    copies_at_once = order % 2 == 1;
    emulated_threads = {unsigned(threads), 1, 1};
    emulated_blocks = {unsigned(along), unsigned(rows), 1};
    come_to_clusters.assign(size_t(rows), 0);
    Handlers handlers;
    bool failed = false;
    std::vector<int> places = ordered(blocks, order);
    running.resize(at_once < blocks ? at_once : blocks);
    for (int first = 0; first < blocks && !failed; first += at_once) {
        int many = blocks - first < at_once ? blocks - first : at_once;
        for (int b = 0; b < many; ++b) {
            running[b].index = unsigned(places[first + b]);
            running[b].done = false;
            running[b].shared = shared_memory(size_t(bytes), poison);
            running[b].fibers.resize(size_t(threads));
            for (int i = 0; i < threads; ++i) {
                Fiber& fiber = running[b].fibers[size_t(i)];
                fiber.state = READY;
                fiber.number = unsigned(i);
                fiber.block = &running[b];
                fiber.stack = nullptr;
                fiber.where = "";
                fiber.copies.assign(1, {});
            }
        }
        int left = many, idle = 0, round = 0;
        while (left && !failed) {
            bool moved = false;
            for (int b = 0; b < many && !failed; ++b) {
                Block& block = running[b];
                if (block.done) continue;
                unsigned own = order < 2 ? order : order + block.index;
                std::vector<int> warps = ordered((threads + WARP - 1) / WARP, own), lanes = ordered(WARP, own);
                Outcome outcome = run(block, warps, lanes, order != 1 && round % 2 == 0, moved);
                failed = outcome == FAILED;
                block.done = outcome == ENDED;
                left -= block.done;
            }
            idle = moved ? 0 : idle + 1;
            round += 1;
            if (idle > PATIENCE && !failed) {
                for (int b = 0; b < many; ++b)
                    for (Fiber& fiber : running[b].fibers)
                        if (!running[b].done && fiber.state == SPINNING)
                            say("the wait at %s has no end: %d of %d blocks have ended", fiber.where, many - left,
                                many);
                failed = true;
            }
        }
        for (int b = 0; b < many; ++b) {
            for (Fiber& fiber : running[b].fibers) end(fiber);
            Region* shared = running[b].shared;
            if (!failed && !shared->clean()) {
                say("block %u writes outside its %zu bytes of shared memory", running[b].index, shared->size);
                failed = true;
            }
            if (failed || shared_pool.size() >= 8) {
                shared->free();
                delete shared;
            } else {
                shared_pool.push_back(shared);
            }
        }
    }
    // A table has addresses, too: whatever array there is may have been written.
    for (auto& [start, array] : memory)
        if (!failed && !array.clean()) {
            say("memory outside an array of %zu bytes is written", array.size);
            array.clear();
            failed = true;
        }
    return failed ? message : nullptr;
}
}
