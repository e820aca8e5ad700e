#include "simd/kernels.h"

#include <cstdlib>

// LEYDEN_BUILDS_...: the levels beside scalar that were built (cmake/LeydenIsaLevels.cmake).
namespace leyden::simd {

namespace {

#define LEYDEN_ENTRY_SCALAR(name, type) scalar::name,
#define LEYDEN_ENTRY_AVX2(name, type) avx2::name,
#define LEYDEN_ENTRY_AVX512(name, type) avx512::name,
#define LEYDEN_ENTRY_AVX512VNNI(name, type) avx512vnni::name,

constexpr Kernels kScalar = {Isa::kScalar, LEYDEN_KERNELS(LEYDEN_ENTRY_SCALAR)};
#if LEYDEN_BUILDS_avx2
constexpr Kernels kAvx2 = {Isa::kAvx2, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX2)};
#endif
#if LEYDEN_BUILDS_avx512
constexpr Kernels kAvx512 = {Isa::kAvx512, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX512)};
#endif
#if LEYDEN_BUILDS_avx512vnni
constexpr Kernels kAvx512Vnni = {Isa::kAvx512Vnni, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX512VNNI)};
#endif
#if LEYDEN_BUILDS_amx
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
#if LEYDEN_BUILDS_avx2
    case Isa::kAvx2:
      return kAvx2;
#endif
#if LEYDEN_BUILDS_avx512
    case Isa::kAvx512:
      return kAvx512;
#endif
#if LEYDEN_BUILDS_avx512vnni
    case Isa::kAvx512Vnni:
      return kAvx512Vnni;
#endif
#if LEYDEN_BUILDS_amx
    case Isa::kAmx:
      return kAmx;
#endif
    default:  // not built
      break;
  }
  return kScalar;
}

const Kernels& kernels() {
  static const Kernels& chosen = kernels(select_isa(std::getenv("LEYDEN_ISA")));
  return chosen;
}

}  // namespace leyden::simd
