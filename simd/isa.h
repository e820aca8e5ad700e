#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leyden::simd {

/// Kernel levels, weakest first. Each includes the ones before it.
enum class Isa {
  kScalar,      // plain C++, the reference
  kAvx2,        // AVX2, FMA, F16C
  kAvx512,      // AVX-512 F, BW, VL, DQ
  kAvx512Vnni,  // AVX-512 VNNI
  kAmx,         // AMX-INT8, AMX-BF16, AVX-512 VBMI
};

/// "scalar", "avx2", "avx512", "avx512vnni" or "amx": the values of LEYDEN_ISA.
std::string_view name(Isa isa);

/// What decides which levels a machine can run: words of CPUID and the register states that the
/// operating system saves.
struct CpuFeatures {
  std::uint32_t ecx1 = 0;                      // function 1
  std::uint32_t ebx7 = 0, ecx7 = 0, edx7 = 0;  // function 7
  std::uint32_t eax7_1 = 0;                    // function 7, subfunction 1
  std::uint64_t saved_states = 0;              // XCR0 (Intel SDM vol. 1, 13.3)
};

CpuFeatures features_of_this_cpu();

/// True when `cpu` has the instructions of `isa` and of the levels below it, and their registers
/// are saved.
bool can_run(const CpuFeatures& cpu, Isa isa);

/// True when the CPU has the instructions of `isa`, the operating system saves its registers and
/// its kernels were built (LEYDEN_ISA_LEVELS). Linux gives a process AMX's tiles on request only;
/// asking about kAmx is that request.
bool cpu_has(Isa isa);

/// Every level this machine can run, weakest first; never empty.
std::vector<Isa> available_isas();

/// The level named by `wanted`, or the best available one when `wanted` is null or empty.
/// Throws std::runtime_error with a sentence for the user when the name is unknown or this machine
/// can't run it: a forced level never falls back silently.
/// `available` stands in for this machine in tests.
Isa select_isa(const char* wanted, bool (*available)(Isa) = cpu_has);

/// How a core that uses what it reads at once is best led through memory: by asking for lines in
/// its first-level cache, by that and reading at two places in turn, or by asking for lines in its
/// second-level cache further ahead (bench/RESULTS.md).
enum class Lead { kL1, kTwoRuns, kFarL2 };

/// kTwoRuns on AMD's CPUs from Zen 5 on, kFarL2 on Intel's, kL1 on all others.
Lead lead_of_cpu();

/// True where vdpbf16ps (AVX-512 BF16) exists. No level includes it: CPUs from Cascade Lake to
/// Rocket Lake have VNNI without it.
bool has_bf16_dot(const CpuFeatures& cpu = features_of_this_cpu());

/// True where vdpbf16ps exists and is faster than the two fmas it stands for: not on Intel's CPUs,
/// where a core does one in two cycles and four fmas meanwhile (bench/RESULTS.md).
bool dots_bf16_at_once();

/// True where a core starts two 512-bit products in a cycle and no more loads than that, so that an
/// operand must be loaded for several products: on AMD's CPUs from Zen 5 on (bench/RESULTS.md).
bool loads_are_scarce();

}  // namespace leyden::simd
