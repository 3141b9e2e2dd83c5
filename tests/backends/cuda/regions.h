// The memory of the emulated device: arrays that end where no page is.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace {

const size_t PAGE = size_t(sysconf(_SC_PAGESIZE));
const size_t NOWHERE = 1 << 20;  // bytes before and behind memory that nothing may touch

// Bytes that end, but for the rest of their alignment, where a page ends, with nowhere on both sides. What their
// pages hold around them is all ones: NaN to who reads it.
struct Region {
    char* reserved;
    char* pages;
    char* start;
    size_t size, whole;

    Region(size_t bytes, size_t alignment) : size(bytes) {
        size_t inside = (bytes + alignment - 1) / alignment * alignment;
        whole = inside ? (inside + PAGE - 1) / PAGE * PAGE : PAGE;
        reserved = static_cast<char*>(
            mmap(nullptr, whole + 2 * NOWHERE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        pages = reserved + NOWHERE;
        start = pages + whole - inside;
        if (reserved == MAP_FAILED || mprotect(pages, whole, PROT_READ | PROT_WRITE)) {
            std::fprintf(stderr, "the emulated device has no memory for %zu bytes\n", bytes);
            std::abort();
        }
        std::memset(pages, 0xff, whole);
    }
    bool holds(const char* place) const { return place >= reserved && place < pages + whole + NOWHERE; }
    bool clean() const { return ones(pages, start) && ones(start + size, pages + whole); }
    void clear() const {
        std::memset(pages, 0xff, size_t(start - pages));
        std::memset(start + size, 0xff, size_t(pages + whole - start) - size);
    }
    void free() { munmap(reserved, whole + 2 * NOWHERE); }

    static bool ones(const char* from, const char* to) {
        return from == to || (from[0] == char(0xff) && !std::memcmp(from, from + 1, size_t(to - from) - 1));
    }
};

std::map<char*, Region> memory;  // by the start

const Region* region_of(char* place) {
    auto after = memory.upper_bound(place);
    if (after == memory.begin()) return nullptr;
    const Region& found = std::prev(after)->second;
    return place <= found.start + found.size ? &found : nullptr;
}

std::vector<Region*> shared_pool;  // of one size, which the next launch often needs again

Region* shared_memory(size_t bytes, int poison) {
    Region* found = nullptr;
    for (size_t i = 0; i < shared_pool.size() && !found; ++i)
        if (shared_pool[i]->size == bytes) {
            found = shared_pool[i];
            shared_pool.erase(shared_pool.begin() + long(i));
        }
    if (!found) found = new Region(bytes, 16);
    std::memset(found->start, poison, bytes);
    return found;
}

}  // namespace
