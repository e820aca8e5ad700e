#include "simd/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <stdexcept>

#include "simd/kernels.h"

namespace leyden::simd {
namespace {

constexpr std::array kIsas = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAmx};

struct Registers {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);  // zeros for an absent leaf
  return r;
}

/// XCR0: the register states that the operating system saves (Intel SDM vol. 1, 13.3).
std::uint64_t saved_states() {
  constexpr std::uint32_t kOsxsave = 1u << 27;
  if (!(cpuid(1).ecx & kOsxsave)) return 0;
  std::uint32_t low = 0, high = 0;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

constexpr bool has_bits(std::uint64_t value, std::uint64_t bits) { return (value & bits) == bits; }

constexpr std::uint32_t bits(std::initializer_list<int> positions) {
  std::uint32_t mask = 0;
  for (const int p : positions) mask |= 1u << p;
  return mask;
}

/// What a level needs beside those below it.
constexpr CpuFeatures kNeeded[] = {
    {},
    {.ecx1 = bits({12 /*FMA*/, 23 /*POPCNT*/, 28 /*AVX*/, 29 /*F16C*/}),
     .ebx7 = bits({5 /*AVX2*/}),
     .saved_states = bits({1 /*XMM*/, 2 /*YMM*/})},
    {.ebx7 = bits({16 /*F*/, 17 /*DQ*/, 30 /*BW*/, 31 /*VL*/}),
     .saved_states = bits({5 /*masks*/, 6 /*ZMM*/, 7 /*ZMM16 to 31*/})},
    {.ecx7 = bits({11 /*VNNI*/})},
    {.ecx7 = bits({1 /*VBMI*/}),
     .edx7 = bits({22 /*BF16*/, 24 /*TILE*/, 25 /*INT8*/}),
     .saved_states = bits({17 /*TILECFG*/, 18 /*TILEDATA*/})},
};
static_assert(std::size(kNeeded) == kIsas.size());

bool has_features(const CpuFeatures& cpu, const CpuFeatures& needed) {
  return has_bits(cpu.ecx1, needed.ecx1) && has_bits(cpu.ebx7, needed.ebx7) &&
         has_bits(cpu.ecx7, needed.ecx7) && has_bits(cpu.edx7, needed.edx7) &&
         has_bits(cpu.eax7_1, needed.eax7_1) && has_bits(cpu.saved_states, needed.saved_states);
}

/// Linux' arch_prctl, which glibc doesn't wrap (Documentation/arch/x86/xstate.rst).
bool is_given_tiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

/// Whether function 0 names this maker, in twelve characters.
bool is_made_by(std::string_view maker) {
  const Registers r = cpuid(0);
  const std::uint32_t parts[] = {r.ebx, r.edx, r.ecx};
  char name[sizeof(parts)];
  std::memcpy(name, parts, sizeof(parts));
  return std::string_view(name, sizeof(name)) == maker;
}

bool is_intel() { return is_made_by("GenuineIntel"); }

/// By function 1 (AMD64 Architecture Programmer's Manual, volume 3, appendix E).
std::uint32_t family() {
  const std::uint32_t eax = cpuid(1).eax;
  const std::uint32_t base = eax >> 8 & 0xf, extended = eax >> 20 & 0xff;
  return base == 0xf ? base + extended : base;
}

bool is_zen5_or_later() {
  constexpr std::uint32_t kZen5 = 0x1a;
  return is_made_by("AuthenticAMD") && family() >= kZen5;
}

}  // namespace

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Vnni:
      return "avx512vnni";
    case Isa::kAmx:
      return "amx";
  }
  return "?";
}

CpuFeatures features_of_this_cpu() {
  const Registers r = cpuid(7);
  return {cpuid(1).ecx, r.ebx, r.ecx, r.edx, cpuid(7, 1).eax, saved_states()};
}

bool can_run(const CpuFeatures& cpu, Isa isa) {
  return std::all_of(kNeeded, kNeeded + static_cast<int>(isa) + 1,
                     [&](const CpuFeatures& needed) { return has_features(cpu, needed); });
}

bool cpu_has(Isa isa) {
  static const CpuFeatures cpu = features_of_this_cpu();
  if (kernels(isa).isa != isa || !can_run(cpu, isa)) return false;
  if (isa != Isa::kAmx) return true;
  static const bool has_tiles = is_given_tiles();
  return has_tiles;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> found;
  for (const Isa isa : kIsas) {
    if (cpu_has(isa)) found.push_back(isa);
  }
  return found;
}

Lead lead_of_cpu() {
  if (is_intel()) return Lead::kFarL2;
  return is_zen5_or_later() ? Lead::kTwoRuns : Lead::kL1;
}

bool has_bf16_dot(const CpuFeatures& cpu) {
  return has_features(cpu, {.eax7_1 = bits({5 /*BF16*/})});
}

bool dots_bf16_at_once() { return has_bf16_dot() && !is_intel(); }

bool loads_are_scarce() { return is_zen5_or_later(); }

Isa select_isa(const char* wanted, bool (*available)(Isa)) {
  Isa best = Isa::kScalar;
  for (const Isa isa : kIsas) {
    if (available(isa)) best = isa;
  }
  if (wanted == nullptr || *wanted == '\0') return best;
  for (const Isa isa : kIsas) {
    if (name(isa) != wanted) continue;
    if (available(isa)) return isa;
    throw std::runtime_error(
        "LEYDEN_ISA=" + std::string(wanted) +
        ": this CPU, operating system or build can't run that level; the best one "
        "here is " +
        std::string(name(best)));
  }
  throw std::runtime_error("LEYDEN_ISA=" + std::string(wanted) +
                           ": unknown level; expected scalar, avx2, avx512, avx512vnni or amx");
}

}  // namespace leyden::simd
