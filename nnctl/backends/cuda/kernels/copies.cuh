// Copies from global to shared memory that go past the registers, in groups that a thread closes and waits for.
#ifndef NNCTL_COPIES
#define NNCTL_COPIES

// Have a float copied, a zero in its place where `there` is false: nothing is read then.
DEVICE void copy_one(float* to, const float* from, bool there) {
#if defined(__CUDA_ARCH__)
    unsigned at = unsigned(__cvta_generic_to_shared(to));
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(there ? 4 : 0) : "memory");
#else
    emulated_copy(to, from, there, 1);
#endif
}

// The same for `count` of four floats, zeros in the place of the rest. vector: all or none of them, aligned. near:
// whether neighbours of the block are going to read them, too, so that they are worth a place in the nearest cache.
DEVICE void copy_four(float* to, const float* from, int count, bool vector, bool near = false) {
#if defined(__CUDA_ARCH__)
    unsigned at = unsigned(__cvta_generic_to_shared(to));
    if (vector) {
        if (near)
            asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(4 * count) : "memory");
        else
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(4 * count) : "memory");
        return;
    }
#pragma unroll
    for (int e = 0; e < 4; ++e) copy_one(to + e, e < count ? from + e : from, e < count);
#else
    emulated_copy(to, from, count, 4);
#endif
}

// Close the group of copies asked for since the last one.
DEVICE void close_copies() {
#if defined(__CUDA_ARCH__)
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    emulated_close_copies();
#endif
}

// Wait for this thread's copies, but for the last LEFT groups.
template <int LEFT> DEVICE void await_copies() {
#if defined(__CUDA_ARCH__)
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
#else
    emulated_await_copies(LEFT);
#endif
}

#endif
