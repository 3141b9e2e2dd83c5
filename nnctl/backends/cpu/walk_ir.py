"""The LLVM IR of what runs a step's table: the loop over records, the barrier, the clock.

A record is two words: the address of a function, and that of its arguments. The functions of launches, the
barrier and the clock are all called alike, i64 f(ptr arguments), and any but 0 ends the chunk.
"""

from __future__ import annotations

SYMBOLS = ("nnctl_walk", "nnctl_meet", "nnctl_clock")
SPINS, CROWDED_SPINS = 8000, 100
"""Turns of a waiting thread before it sleeps, where each thread of the step has a core: 0.1 to 0.4 ms. That is several
times what it takes to wake a thread, or two that sleep in turn would never catch up with one another; and a small part
of the milliseconds for which a neighbour is given a core. And where there are more threads than cores: whoever waits
keeps another thread of the step from going on."""
_OFFER = 256
"""Turns, some microseconds, after which a thread that waits at a barrier offers its core to others, once: the thread
that all wait for may have no other, for whom a thread wakes is often put on its own core. Thread after thread would
else use up its turns there. Who offers it again and again loses it to neighbours too often."""
_FUTEX = {"x86_64": 202, "aarch64": 98}
"""The system call's number on Linux."""
_WAIT, _WAKE = 128, 129
"""FUTEX_WAIT and FUTEX_WAKE, for threads of one process."""


def module_text(architecture: str, *, linux: bool) -> str:
    """The module. architecture: as `platform.machine` names it."""
    walk = _WALK + launches(begun="launches", first="0", end="%count", ended="step.end") + _WALKED
    return "\n".join([_DECLARED, walk, _barrier(architecture, linux=linux), _CLOCK])


def launches(*, begun: str, first: str, end: str, ended: str) -> str:
    """The blocks that make the calls of `%records` from number `first` to `end`, and leave to `%stopped` at an error.

    begun: the block before them. ended: the block behind the last call.
    """
    return f"""launch:
  %l = phi i64 [{first}, %{begun}], [%l.next, %went]
  %l.place = mul i64 %l, 2
  %record = getelementptr i64, ptr %records, i64 %l.place
  %function = load ptr, ptr %record, align 8
  %arguments.address = getelementptr i64, ptr %record, i64 1
  %arguments = load ptr, ptr %arguments.address, align 8
  %status = call i64 %function(ptr %arguments)
  %fine = icmp eq i64 %status, 0
  br i1 %fine, label %went, label %stopped

went:
  %l.next = add i64 %l, 1
  %l.done = icmp eq i64 %l.next, {end}
  br i1 %l.done, label %{ended}, label %launch
"""


_DECLARED = """
declare void @llvm.x86.sse2.pause()
declare i64 @llvm.readcyclecounter()
declare i64 @syscall(i64, ...)
declare i32 @sched_yield()
"""
_WALK = """
; Steps of one thread. moves: (address of a word, what is added to it before each step but the first), and behind
; the first `plain` of them those that stay where they are before the last step.
define i64 @nnctl_walk(ptr %records, i64 %count, ptr %moves, i64 %plain, i64 %ahead, i64 %steps) nounwind {
entry:
  %any = icmp sgt i64 %steps, 0
  %all = add i64 %plain, %ahead
  br i1 %any, label %step, label %exit

step:
  %s = phi i64 [0, %entry], [%s.next, %step.end]
  %first = icmp eq i64 %s, 0
  %s.next = add i64 %s, 1
  %last = icmp eq i64 %s.next, %steps
  %moved = select i1 %last, i64 %plain, i64 %all
  %none = icmp eq i64 %moved, 0
  %still = or i1 %first, %none
  br i1 %still, label %launches, label %move

move:
  %m = phi i64 [0, %step], [%m.next, %move]
  %m.place = mul i64 %m, 2
  %m.address = getelementptr i64, ptr %moves, i64 %m.place
  %word = load ptr, ptr %m.address, align 8
  %stride.address = getelementptr i64, ptr %m.address, i64 1
  %stride = load i64, ptr %stride.address, align 8
  %old = load i64, ptr %word, align 8
  %new = add i64 %old, %stride
  store i64 %new, ptr %word, align 8
  %m.next = add i64 %m, 1
  %m.done = icmp eq i64 %m.next, %moved
  br i1 %m.done, label %launches, label %move

launches:
  %calls = icmp sgt i64 %count, 0
  br i1 %calls, label %launch, label %step.end

"""
_WALKED = """
step.end:
  br i1 %last, label %exit, label %step

stopped:
  ret i64 %s

exit:
  ret i64 %steps
}
"""
_CLOCK = """
; The clock. arguments: the addresses of the count at the last call, and of the sum that this stretch is added to.
define i64 @nnctl_clock(ptr %arguments) nounwind {
entry:
  %last = load ptr, ptr %arguments, align 8
  %sum.address = getelementptr i64, ptr %arguments, i64 1
  %sum = load ptr, ptr %sum.address, align 8
  %now = call i64 @llvm.readcyclecounter()
  %before = load i64, ptr %last, align 8
  %spent = sub i64 %now, %before
  %old = load i64, ptr %sum, align 8
  %new = add i64 %old, %spent
  store i64 %new, ptr %sum, align 8
  store i64 %now, ptr %last, align 8
  ret i64 0
}
"""


def waiting(architecture: str, *, linux: bool) -> tuple[str, str, str]:
    """The instructions of a turn, a sleep while `%generation` holds `%mine`, and waking all. See `module_text`."""
    pause = "call void @llvm.x86.sse2.pause()" if architecture == "x86_64" else ""
    if not linux or architecture not in _FUTEX:
        return pause, "%slept = call i32 @sched_yield()", ""
    call = f"call i64 (i64, ...) @syscall(i64 {_FUTEX[architecture]}, ptr %generation"
    wait = f"%slept = {call}, i32 {_WAIT}, i32 %mine, ptr null)"
    wake = f"%woken = {call}, i32 {_WAKE}, i32 2147483647)"
    return pause, wait, wake


def _barrier(architecture: str, *, linux: bool) -> str:
    """The barrier's text, which sleeps where the system has a futex."""
    pause, wait, wake = waiting(architecture, linux=linux)
    return f"""
; The barrier. arguments: the address of counters, lines apart; the number of threads; the turns before one sleeps.
; The first counts arrivals; the last thread to arrive sets it back and raises the second, for which the others wait.
; The third counts those asleep.
define i64 @nnctl_meet(ptr %arguments) nounwind {{
entry:
  %arrivals = load ptr, ptr %arguments, align 8
  %threads.address = getelementptr i64, ptr %arguments, i64 1
  %threads.wide = load i64, ptr %threads.address, align 8
  %threads = trunc i64 %threads.wide to i32
  %spins.address = getelementptr i64, ptr %arguments, i64 2
  %spins.wide = load i64, ptr %spins.address, align 8
  %spins = trunc i64 %spins.wide to i32
  %generation = getelementptr i8, ptr %arrivals, i64 128
  %sleepers = getelementptr i8, ptr %arrivals, i64 256
  %mine = load atomic i32, ptr %generation acquire, align 4
  %arrived = atomicrmw add ptr %arrivals, i32 1 acq_rel, align 4
  %others = sub i32 %threads, 1
  %last = icmp eq i32 %arrived, %others
  br i1 %last, label %release, label %spin

release:
  store atomic i32 0, ptr %arrivals monotonic, align 4
  %raised = atomicrmw add ptr %generation, i32 1 seq_cst, align 4
  %asleep = load atomic i32, ptr %sleepers seq_cst, align 4
  %some = icmp ne i32 %asleep, 0
  br i1 %some, label %wake, label %exit

wake:
  {wake}
  br label %exit

spin:
  %turn = phi i32 [0, %entry], [%turn.next, %stay], [%turn.next, %offer]
  %now = load atomic i32, ptr %generation acquire, align 4
  %passed = icmp ne i32 %now, %mine
  br i1 %passed, label %exit, label %again

again:
  {pause}
  %turn.next = add i32 %turn, 1
  %enough = icmp ugt i32 %turn.next, %spins
  br i1 %enough, label %sleep, label %stay

stay:
  %offers = icmp eq i32 %turn.next, {_OFFER}
  br i1 %offers, label %offer, label %spin

offer:
  %offered = call i32 @sched_yield()
  br label %spin

sleep:
  %counted = atomicrmw add ptr %sleepers, i32 1 seq_cst, align 4
  br label %waiting

waiting:
  %then = load atomic i32, ptr %generation seq_cst, align 4
  %over = icmp ne i32 %then, %mine
  br i1 %over, label %awake, label %wait

wait:
  {wait}
  br label %waiting

awake:
  %left = atomicrmw sub ptr %sleepers, i32 1 seq_cst, align 4
  br label %exit

exit:
  ret i64 0
}}
"""
