#pragma once

#define LEYDEN_KERNELS(X) \
  X(add, AddFn)           \
  X(scaled_add, ScaledAddFn)
