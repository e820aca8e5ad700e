#include "simd/kernels.h"

#include <cstdlib>

namespace leyden::simd {

namespace {

#define LEYDEN_ENTRY_SCALAR(name, type) scalar::name,
#define LEYDEN_ENTRY_AVX2(name, type) avx2::name,
#define LEYDEN_ENTRY_AVX512(name, type) avx512::name,
#define LEYDEN_ENTRY_AVX512VNNI(name, type) avx512vnni::name,

constexpr Kernels kScalar = {Isa::kScalar, LEYDEN_KERNELS(LEYDEN_ENTRY_SCALAR)};
#ifndef LEYDEN_ONLY_SCALAR
constexpr Kernels kAvx2 = {Isa::kAvx2, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX2)};
constexpr Kernels kAvx512 = {Isa::kAvx512, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX512)};
constexpr Kernels kAvx512Vnni = {Isa::kAvx512Vnni, LEYDEN_KERNELS(LEYDEN_ENTRY_AVX512VNNI)};

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
#ifndef LEYDEN_ONLY_SCALAR
    case Isa::kAvx2:
      return kAvx2;
    case Isa::kAvx512:
      return kAvx512;
    case Isa::kAvx512Vnni:
      return kAvx512Vnni;
    case Isa::kAmx:
      return kAmx;
#else
    default:
      return kScalar;
#endif
  }
  return kScalar;
}

const Kernels& kernels() {
  static const Kernels& chosen = kernels(select_isa(std::getenv("LEYDEN_ISA")));
  return chosen;
}

}  // namespace leyden::simd
