"""The LLVM IR of what runs a step's parts for whoever comes: threads that share cores with other processes.

In `walk_ir` a thread has its table and waits at a barrier for all others: where another process takes a core away, all
wait for the thread that has lost it. Here nobody has a table. A step is divided into parts, each with a table, and into
phases between barriers. What a part has to do in a phase is a piece; threads that have a core take one after
another. The next phase begins when all pieces of one are done, whoever was there: bits are those of as many threads
as there are parts.

A thread that loses its core within a piece holds up the others, so it gives the core away itself, between two pieces,
before its turn ends.
"""

from __future__ import annotations

import time

from nnctl.backends.cpu.walk_ir import launches, waiting

SYMBOLS = ("nnctl_share",)
HEAD, PART_HEAD = 2, 4
"""Words of `parts` before the first part, and of a part before its bounds; see the text below."""


def module_text(architecture: str, *, linux: bool) -> str:
    """The module. architecture: as `platform.machine` names it."""
    pause, wait, wake = waiting(architecture, linux=linux)
    calls = launches(begun="bounds", first="%l.first", end="%l.end", ended="piece.done")
    return f"""
declare void @llvm.x86.sse2.pause()
declare i64 @syscall(i64, ...)
declare i32 @sched_yield()
declare i32 @clock_gettime(i32, ptr)
declare i32 @llvm.cttz.i32(i32, i1)

; Nanoseconds of a clock that never goes back.
define internal i64 @nnctl_now() nounwind {{
  %at = alloca {{ i64, i64 }}, align 8
  %told = call i32 @clock_gettime(i32 {time.CLOCK_MONOTONIC}, ptr %at)
  %whole = load i64, ptr %at, align 8
  %rest.address = getelementptr i64, ptr %at, i64 1
  %rest = load i64, ptr %rest.address, align 8
  %scaled = mul i64 %whole, 1000000000
  %now = add i64 %scaled, %rest
  ret i64 %now
}}

; Pieces of steps, until all are done; the number of steps completed.
; board: lines apart, all zero at first: a word whose upper half counts phases, its lower half having a bit for each
; piece of this one that is taken; the pieces of it that are done; steps that will not be made; threads asleep.
; parts: their number, and that of phases a step; of each part its records, its moves, the number of moves before the
; last step, and before others (see nnctl_walk), and the first record of each phase and behind the last.
; first: the part that this thread begins with where it can. turn: nanoseconds for which it keeps a core.
define i64 @nnctl_share(ptr %board, ptr %parts, i64 %first, i64 %spins, i64 %turn, i64 %steps) nounwind {{
entry:
  %generation = getelementptr i8, ptr %board, i64 4
  %done.address = getelementptr i8, ptr %board, i64 128
  %short.address = getelementptr i8, ptr %board, i64 256
  %sleepers = getelementptr i8, ptr %board, i64 384
  %count.wide = load i64, ptr %parts, align 8
  %count = trunc i64 %count.wide to i32
  %phases.address = getelementptr i64, ptr %parts, i64 1
  %phases = load i64, ptr %phases.address, align 8
  %end = mul i64 %steps, %phases
  %few = trunc i64 %first to i32
  %bit = shl i64 1, %count.wide
  %bits = sub i64 %bit, 1
  %full = trunc i64 %bits to i32
  %near = shl i32 -1, %few
  %row.words = add i64 %phases, {PART_HEAD + 1}
  %others = sub i32 %count, 1
  %start = call i64 @nnctl_now()
  br label %look

look:
  %began = phi i64 [%start, %entry], [%began, %look.again], [%woke, %awake], [%began, %piece.end], [%back, %stand.aside]
  %word = load atomic i64, ptr %board acquire, align 8
  %number = lshr i64 %word, 32
  %over = icmp uge i64 %number, %end
  br i1 %over, label %exit, label %open

open:
  %taken = trunc i64 %word to i32
  %inverse = xor i32 %taken, -1
  %free = and i32 %inverse, %full
  %none = icmp eq i32 %free, 0
  br i1 %none, label %spin, label %choose

choose:
  %free.near = and i32 %free, %near
  %any.near = icmp ne i32 %free.near, 0
  %from = select i1 %any.near, i32 %free.near, i32 %free
  %piece = call i32 @llvm.cttz.i32(i32 %from, i1 true)
  %piece.wide = zext i32 %piece to i64
  %claim = shl i64 1, %piece.wide
  %claimed = or i64 %word, %claim
  %swap = cmpxchg ptr %board, i64 %word, i64 %claimed acq_rel acquire
  %got = extractvalue {{ i64, i1 }} %swap, 1
  br i1 %got, label %piece.begin, label %look.again

look.again:
  br label %look

piece.begin:
  %step = udiv i64 %number, %phases
  %phase = urem i64 %number, %phases
  %row.first = mul i64 %piece.wide, %row.words
  %row.place = add i64 %row.first, {HEAD}
  %row = getelementptr i64, ptr %parts, i64 %row.place
  %records = load ptr, ptr %row, align 8
  %begins.step = icmp eq i64 %phase, 0
  %later = icmp ne i64 %step, 0
  %moves.on = and i1 %begins.step, %later
  br i1 %moves.on, label %moving, label %bounds

moving:
  %moves.address = getelementptr i64, ptr %row, i64 1
  %moves = load ptr, ptr %moves.address, align 8
  %plain.address = getelementptr i64, ptr %row, i64 2
  %plain = load i64, ptr %plain.address, align 8
  %all.address = getelementptr i64, ptr %row, i64 3
  %all = load i64, ptr %all.address, align 8
  %step.next = add i64 %step, 1
  %last.step = icmp eq i64 %step.next, %steps
  %moved = select i1 %last.step, i64 %plain, i64 %all
  %unmoved = icmp eq i64 %moved, 0
  br i1 %unmoved, label %bounds, label %move

move:
  %m = phi i64 [0, %moving], [%m.next, %move]
  %m.place = mul i64 %m, 2
  %m.address = getelementptr i64, ptr %moves, i64 %m.place
  %moving.word = load ptr, ptr %m.address, align 8
  %stride.address = getelementptr i64, ptr %m.address, i64 1
  %stride = load i64, ptr %stride.address, align 8
  %old = load i64, ptr %moving.word, align 8
  %new = add i64 %old, %stride
  store i64 %new, ptr %moving.word, align 8
  %m.next = add i64 %m, 1
  %m.done = icmp eq i64 %m.next, %moved
  br i1 %m.done, label %bounds, label %move

bounds:
  %bound.place = add i64 %phase, {PART_HEAD}
  %bound.address = getelementptr i64, ptr %row, i64 %bound.place
  %l.first = load i64, ptr %bound.address, align 8
  %behind.address = getelementptr i64, ptr %bound.address, i64 1
  %l.end = load i64, ptr %behind.address, align 8
  %calls = icmp slt i64 %l.first, %l.end
  br i1 %calls, label %launch, label %piece.done

{calls}
stopped:
  %unmade = sub i64 %steps, %step
  store atomic i64 %unmade, ptr %short.address monotonic, align 8
  br label %piece.done

piece.done:
  %done = atomicrmw add ptr %done.address, i32 1 acq_rel, align 4
  %last = icmp eq i32 %done, %others
  br i1 %last, label %next.phase, label %piece.end

next.phase:
  store atomic i32 0, ptr %done.address monotonic, align 4
  %short.now = load atomic i64, ptr %short.address monotonic, align 8
  %goes.on = icmp eq i64 %short.now, 0
  %number.next = add i64 %number, 1
  %number.new = select i1 %goes.on, i64 %number.next, i64 %end
  %word.new = shl i64 %number.new, 32
  %word.old = atomicrmw xchg ptr %board, i64 %word.new seq_cst, align 8
  %asleep = load atomic i32, ptr %sleepers seq_cst, align 4
  %some = icmp ne i32 %asleep, 0
  br i1 %some, label %wake, label %piece.end

wake:
  {wake}
  br label %piece.end

piece.end:
  %now = call i64 @nnctl_now()
  %since = sub i64 %now, %began
  %long = icmp sgt i64 %since, %turn
  br i1 %long, label %stand.aside, label %look

stand.aside:
  %given = call i32 @sched_yield()
  %back = call i64 @nnctl_now()
  br label %look

spin:
  %spun = phi i64 [0, %open], [%spun.next, %again]
  %seen = load atomic i64, ptr %board acquire, align 8
  %seen.number = lshr i64 %seen, 32
  %passed = icmp ne i64 %seen.number, %number
  br i1 %passed, label %look.again, label %again

again:
  {pause}
  %spun.next = add i64 %spun, 1
  %enough = icmp ugt i64 %spun.next, %spins
  br i1 %enough, label %sleep, label %spin

sleep:
  %mine = trunc i64 %number to i32
  %counted = atomicrmw add ptr %sleepers, i32 1 seq_cst, align 4
  br label %waiting

waiting:
  %then = load atomic i64, ptr %board seq_cst, align 8
  %then.number = lshr i64 %then, 32
  %begun = icmp ne i64 %then.number, %number
  br i1 %begun, label %awake, label %wait

wait:
  {wait}
  br label %waiting

awake:
  %left = atomicrmw sub ptr %sleepers, i32 1 seq_cst, align 4
  %woke = call i64 @nnctl_now()
  br label %look

exit:
  %missing = load atomic i64, ptr %short.address monotonic, align 8
  %completed = sub i64 %steps, %missing
  ret i64 %completed
}}
"""
