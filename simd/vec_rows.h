#pragma once

// One register of a tile's rows, for kernels that keep more values in registers than the 16-lane
// types of simd/vec.h leave room for on AVX2: there a tile is two halves of 8 rows, with AVX-512 it
// is one "half" of 16. For *.kernel.cc only, like simd/vec.h.

#include "simd/vec.h"

#if defined(LEYDEN_ISA_avx2)
#include "simd/vec_rows_avx2.h"
#else
#include "simd/vec_rows_avx512.h"
#endif
