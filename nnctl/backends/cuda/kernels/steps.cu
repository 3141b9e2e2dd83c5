// The ends of a step.

// Ends the chunk where the guard is no finite number: from here on nothing changes.
KERNEL check_guard(Block block, const float* guard, int* live) {
    if (threadIdx.x == 0 && !isfinite(guard[0])) live[0] = 0;
}

KERNEL count_step(Block block, int* step) {
    if (threadIdx.x == 0) step[0] += 1;
}

// Updates that could not be made in place.
KERNEL copy_real(Block block, const float* from, float* to, int count) {
    int i = element_of(block);
    if (i < count) to[i] = from[i];
}

KERNEL copy_index(Block block, const long long* from, long long* to, int count) {
    int i = element_of(block);
    if (i < count) to[i] = from[i];
}

KERNEL copy_uint8(Block block, const unsigned char* from, unsigned char* to, int count) {
    int i = element_of(block);
    if (i < count) to[i] = from[i];
}
