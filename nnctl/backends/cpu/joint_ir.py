"""The LLVM IR of what runs rows: the chunks of several trials, one after the other, in one call."""

from __future__ import annotations

SYMBOLS = ("nnctl_rows",)
WORDS = 8
"""Words of a row; see the text below."""
COMPLETED, CYCLES = 6, 7
"""Words that it is told in: the steps that were completed, and what the chunk has taken."""


def module_text() -> str:
    """The module."""
    return f"""
declare i64 @llvm.readcyclecounter()

; walk: the function that walks through a table. rows: of each its five words for the walk, its steps, and places for
; the number of steps completed and for the cycles that they took. A row that ends early leaves the others as they are.
define i64 @nnctl_rows(ptr %walk, ptr %rows, i64 %count) nounwind {{
entry:
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %row, label %exit

row:
  %r = phi i64 [0, %entry], [%r.next, %row]
  %place = mul i64 %r, {WORDS}
  %words = getelementptr i64, ptr %rows, i64 %place
  %records = load i64, ptr %words, align 8
  %calls.address = getelementptr i64, ptr %words, i64 1
  %calls = load i64, ptr %calls.address, align 8
  %moves.address = getelementptr i64, ptr %words, i64 2
  %moves = load i64, ptr %moves.address, align 8
  %plain.address = getelementptr i64, ptr %words, i64 3
  %plain = load i64, ptr %plain.address, align 8
  %ahead.address = getelementptr i64, ptr %words, i64 4
  %ahead = load i64, ptr %ahead.address, align 8
  %steps.address = getelementptr i64, ptr %words, i64 5
  %steps = load i64, ptr %steps.address, align 8
  %began = call i64 @llvm.readcyclecounter()
  %done = call i64 %walk(i64 %records, i64 %calls, i64 %moves, i64 %plain, i64 %ahead, i64 %steps)
  %ended = call i64 @llvm.readcyclecounter()
  %taken = sub i64 %ended, %began
  %done.address = getelementptr i64, ptr %words, i64 {COMPLETED}
  store i64 %done, ptr %done.address, align 8
  %taken.address = getelementptr i64, ptr %words, i64 {CYCLES}
  store i64 %taken, ptr %taken.address, align 8
  %r.next = add i64 %r, 1
  %last = icmp eq i64 %r.next, %count
  br i1 %last, label %exit, label %row

exit:
  ret i64 0
}}
"""
