#include "simd/kernels.h"

#include <cstdlib>

// LEYDEN_N_ISA_LEVELS: how many levels beside scalar were built (cmake/LeydenIsaLevels.cmake).
namespace leyden::simd {

namespace {

#define LEYDEN_ENTRY_SCALAR(name, type) scalar::name,
#define LEYDEN_ENTRY_AVX2(name, type) avx2::name,
#define LEYDEN_ENTRY_AVX512(name, type) avx512::name,
#define LEYDEN_ENTRY_AVX512VNNI(name, type) avx512vnni::name,

constexpr Kernels kScalar = {Isa::kScalar, LEYDEN_KERNELS(LEYDEN_ENTRY_SCALAR)};
#if LEYDEN_N_ISA_LEVELS >= 1
constexpr Kernels kAvx2 = {Isa::kAvx2, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX2)};
#endif
#if LEYDEN_N_ISA_LEVELS >= 2
constexpr Kernels kAvx512 = {Isa::kAvx512, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX512)};
#endif
#if LEYDEN_N_ISA_LEVELS >= 3
constexpr Kernels kAvx512Vnni = {Isa::kAvx512Vnni, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX512VNNI)};
#endif
#if LEYDEN_N_ISA_LEVELS >= 4
constexpr Kernels with_amx(Kernels k) {
  k.isa = Isa::kAmx;
#define LEYDEN_ENTRY_AMX(name, type) k.name = amx::name;
  LEYDEN_AMX_KERNELS(LEYDEN_ENTRY_AMX)
  return k;
}
constexpr Kernels kAmx = with_amx(kAvx512Vnni);
#endif

}  // namespace

const Kernels& kernels(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return kScalar;
#if LEYDEN_N_ISA_LEVELS >= 1
    case Isa::kAvx2:
      return kAvx2;
#endif
#if LEYDEN_N_ISA_LEVELS >= 2
    case Isa::kAvx512:
      return kAvx512;
#endif
#if LEYDEN_N_ISA_LEVELS >= 3
    case Isa::kAvx512Vnni:
      return kAvx512Vnni;
#endif
#if LEYDEN_N_ISA_LEVELS >= 4
    case Isa::kAmx:
      return kAmx;
#endif
    default:  // not built, so cpu_has() denies it
      break;
  }
  return kScalar;
}

const Kernels& kernels() {
  static const Kernels& chosen = kernels(select_isa(std::getenv("LEYDEN_ISA")));
  return chosen;
}

}  // namespace leyden::simd
