// Fibers: the threads of a kernel, each on a stack of its own, one of them at work.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <sys/mman.h>

#include "regions.h"

#if !defined(__x86_64__) || defined(EMULATED_UCONTEXT)
#include <ucontext.h>
#define SWITCH_BY_UCONTEXT 1
#endif

struct Index3 { unsigned x, y, z; };
enum Meeting { MEET, SHUFFLE, BALLOT };
extern "C" {
Index3 emulated_thread, emulated_block, emulated_threads, emulated_blocks;
}

namespace {

const size_t STACK = 256 * 1024;

enum State { READY, AT_BARRIER, AT_WARP, SPINNING, DONE, FAULTED };

struct Block;

struct Copy {
    float* to;
    const float* from;
    int count, of;
};

struct Fiber {
    State state;
    unsigned number;
    Block* block;
    char* stack;
    const char* where;
    Meeting meeting;
    unsigned mask;
    int lane;
    uint64_t value;
    std::vector<std::vector<Copy>> copies;  // groups of those under way; the last one is not closed
#ifdef SWITCH_BY_UCONTEXT
    ucontext_t context;
#else
    void* context;
#endif
};

struct Block {
    unsigned index;
    Region* shared;
    std::vector<Fiber> fibers;
    bool done;
};

Fiber* current;
decltype(Fiber::context) scheduler;
void (*entry)(const char*);
const char* given;
std::vector<char*> stacks;

#ifdef SWITCH_BY_UCONTEXT
void to_scheduler() { swapcontext(&current->context, &scheduler); }
void to_fiber() { swapcontext(&scheduler, &current->context); }
#else
extern "C" void emulated_switch(void** save, void* load);
asm(".text\n.hidden emulated_switch\n.globl emulated_switch\nemulated_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n");
void to_scheduler() { emulated_switch(&current->context, scheduler); }
void to_fiber() { emulated_switch(&scheduler, current->context); }
#endif

void yield_as(State state, const char* where) {
    current->state = state;
    current->where = where;
    to_scheduler();
}

void body() {
    entry(given);
    yield_as(DONE, "");
    std::abort();
}

void begin(Fiber& fiber) {
    if (stacks.empty()) {
        const int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        void* made = mmap(nullptr, STACK + PAGE, PROT_READ | PROT_WRITE, kind, -1, 0);
        if (made == MAP_FAILED || mprotect(made, PAGE, PROT_NONE)) std::abort();
        stacks.push_back(static_cast<char*>(made) + PAGE);
    }
    fiber.stack = stacks.back();
    stacks.pop_back();
#ifdef SWITCH_BY_UCONTEXT
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, &body, 0);
#else
    // Not all at the same distance from a page: a cache has few places for lines that are.
    void** top = reinterpret_cast<void**>(fiber.stack + STACK - 64 - fiber.number % 64 * 320);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(&body);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    fiber.context = top;
#endif
}

void end(Fiber& fiber) {
    if (fiber.stack) stacks.push_back(fiber.stack);
    fiber.stack = nullptr;
}

void resume(Fiber& fiber) {
    if (!fiber.stack) begin(fiber);
    current = &fiber;
    emulated_thread = {fiber.number, 0, 0};
    unsigned block = fiber.block->index, along = emulated_blocks.x;
    emulated_block = {block % along, block / along, 0};
    to_fiber();
    current = nullptr;
    if (fiber.state == DONE) end(fiber);
}

}  // namespace
