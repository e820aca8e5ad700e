#pragma once

#include <cstddef>

// AMX's tile registers in plain C++, a set for each thread: the instructions as Intel's SDM vol. 2
// describes them, by their names. What would be a fault there ends the program with a sentence, and
// so does a thread that ends with registers still configured.
namespace leyden::simd::emulated {

/// `shapes`: the 64 bytes of a configuration.
void ldtilecfg(const void* shapes);
void tilerelease();

/// Registers are 0 to 7, `stride` is in bytes.
void tilezero(int tile);
void tileloadd(int tile, const void* rows, std::ptrdiff_t stride);
void tilestored(int tile, void* rows, std::ptrdiff_t stride);

/// sum[m][n] += the sum over k of a[m][4 k ..] times b[k][4 n ..], four bytes each: s and u say
/// whether those of a and of b are signed. tdpbf16ps: two bf16 each, in the order of simd/matmul.h.
void tdpbssd(int sum, int a, int b);
void tdpbsud(int sum, int a, int b);
void tdpbusd(int sum, int a, int b);
void tdpbuud(int sum, int a, int b);
void tdpbf16ps(int sum, int a, int b);

}  // namespace leyden::simd::emulated
