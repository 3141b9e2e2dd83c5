"""The LLVM IR of products with one B again and again: packed once, multiplied by at every step of a sequence."""

from __future__ import annotations

PACK_SYMBOL = "nnctl_pack"
PACKED_SYMBOL = "nnctl_packed_product"


def packed_text(width: int) -> str:
    """The functions: B packed panel by panel, and C ← A·B + β·C with what was packed.

    A panel has k rows of `width` floats, the last one, too. B is stored transposed where tb is 1.
    The sums are in the order of `gemm`.
    """
    return f"""
define void @{PACK_SYMBOL}(i64 %tb, i64 %n, i64 %k, ptr %b, i64 %ldb, ptr %packed) nounwind {{
entry:
  %is.tb = icmp ne i64 %tb, 0
  %cbs = select i1 %is.tb, i64 %ldb, i64 1
  %empty.n = icmp sle i64 %n, 0
  %empty.k = icmp sle i64 %k, 0
  %empty = or i1 %empty.n, %empty.k
  br i1 %empty, label %exit, label %panels

panels:
  %j = phi i64 [0, %entry], [%j.next, %panels]
  %left = sub i64 %n, %j
  %few = icmp slt i64 %left, {width}
  %columns = select i1 %few, i64 %left, i64 {width}
  %from.at = mul i64 %j, %cbs
  %to.at = mul i64 %j, %k
  %from = getelementptr float, ptr %b, i64 %from.at
  %to = getelementptr float, ptr %packed, i64 %to.at
  call void @pack.b(i64 %k, i64 %columns, ptr %from, i64 %ldb, i1 %is.tb, ptr %to, i64 {width})
  %j.next = add i64 %j, {width}
  %done = icmp sge i64 %j.next, %n
  br i1 %done, label %exit, label %panels

exit:
  ret void
}}

define void @{PACKED_SYMBOL}(i64 %m, i64 %n, i64 %k, ptr %a, i64 %lda, ptr %packed, float %beta, ptr %c,
                             i64 %ldc) nounwind {{
entry:
  %empty.m = icmp sle i64 %m, 0
  %empty.n = icmp sle i64 %n, 0
  %empty.k = icmp sle i64 %k, 0
  %empty.mn = or i1 %empty.m, %empty.n
  %empty = or i1 %empty.mn, %empty.k
  br i1 %empty, label %exit, label %panels

panels:
  %j = phi i64 [0, %entry], [%j.next, %panels]
  %left = sub i64 %n, %j
  %few = icmp slt i64 %left, {width}
  %columns = select i1 %few, i64 %left, i64 {width}
  %panel.at = mul i64 %j, %k
  %panel = getelementptr float, ptr %packed, i64 %panel.at
  %c.panel = getelementptr float, ptr %c, i64 %j
  call void @rows(i64 %m, i64 %columns, i64 %k, float 1.0, ptr %a, i64 %lda, i64 1, i64 %lda, ptr %panel,
                  i64 {width}, i1 true, float %beta, ptr %c.panel, i64 %ldc, ptr null)
  %j.next = add i64 %j, {width}
  %done = icmp sge i64 %j.next, %n
  br i1 %done, label %exit, label %panels

exit:
  ret void
}}"""
