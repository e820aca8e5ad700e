#include "tests/simd/emulated/tiles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "simd/isa.h"

namespace leyden::simd {

/// Here the suites meet emulated tiles, which leave a CPU the AVX-512 of the level amx to have.
bool runs_here(Isa isa) {
  if (isa != Isa::kAmx) return cpu_has(isa);
  CpuFeatures cpu = features_of_this_cpu();
  cpu.edx7 |= 1u << 22 /*BF16*/ | 1u << 24 /*TILE*/ | 1u << 25 /*INT8*/;
  cpu.saved_states |= 1u << 17 /*TILECFG*/ | 1u << 18 /*TILEDATA*/;
  return can_run(cpu, isa);
}

namespace emulated {
namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64, kColumns = kRowBytes / 4;

void require(bool condition, const char* otherwise) {
  if (condition) return;
  std::fprintf(stderr, "emulated tiles: %s\n", otherwise);
  std::abort();
}

struct Tile {
  int rows = 0, row_bytes = 0;
  std::uint8_t data[kRows][kRowBytes] = {};
};

/// Of a thread.
struct Registers {
  bool is_configured = false;
  Tile tiles[kTiles];

  ~Registers() { require(!is_configured, "left configured"); }
};
thread_local Registers registers;

Tile& tile(int number) {
  require(registers.is_configured, "used before ldtilecfg");
  require(number >= 0 && number < kTiles, "no such register");
  Tile& found = registers.tiles[number];
  require(found.rows > 0, "a register without a shape");
  return found;
}

/// Those of a product.
struct Operands {
  Tile& sum;
  const Tile& a;
  const Tile& b;

  Operands(int sum_number, int a_number, int b_number)
      : sum(tile(sum_number)), a(tile(a_number)), b(tile(b_number)) {
    require(sum_number != a_number && sum_number != b_number && a_number != b_number,
            "a product of one register with itself");
    require(sum.row_bytes % 4 == 0 && a.row_bytes % 4 == 0 && b.row_bytes % 4 == 0,
            "a product of rows that aren't whole columns");
    require(sum.rows == a.rows, "a product whose sums and a differ in rows");
    require(sum.row_bytes == b.row_bytes, "a product whose sums and b differ in columns");
    require(a.row_bytes / 4 == b.rows, "a product whose a has other columns than b rows");
  }
};

template <typename Number>
Number read(const std::uint8_t* bytes) {
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

template <typename A, typename B>
void dot_bytes(const Operands& of) {
  for (int m = 0; m < of.sum.rows; ++m) {
    for (int n = 0; n < of.sum.row_bytes / 4; ++n) {
      std::uint8_t* const to = of.sum.data[m] + 4 * n;
      auto sum = read<std::uint32_t>(to);
      for (int k = 0; k < of.b.rows; ++k) {
        for (int i = 0; i < 4; ++i) {
          const int a = static_cast<A>(of.a.data[m][4 * k + i]);
          sum += static_cast<std::uint32_t>(a * static_cast<B>(of.b.data[k][4 * n + i]));
        }
      }
      std::memcpy(to, &sum, 4);
    }
  }
}

constexpr double kLeastNormal = 0x1p-126;

double without_subnormal(float x) {
  return std::fabs(x) < kLeastNormal ? std::copysign(0.0, x) : x;
}

/// An exact sum rounded to a float. A double has bits enough that what it rounded before doesn't
/// matter. Zero is what would be subnormal if it had all 24 bits.
double rounded(double x) {
  if (std::fabs(x) < kLeastNormal * (1 - 0x1p-25)) return std::copysign(0.0, x);
  return static_cast<float>(x);
}

/// Bytes as bf16.
void widen(const Tile& from, double (&to)[kRows][2 * kColumns]) {
  for (int r = 0; r < from.rows; ++r) {
    for (int i = 0; i < from.row_bytes / 2; ++i) {
      const std::uint32_t bits = read<std::uint16_t>(from.data[r] + 2 * i);
      to[r][i] = without_subnormal(std::bit_cast<float>(bits << 16));
    }
  }
}

}  // namespace

void ldtilecfg(const void* shapes) {
  std::uint8_t bytes[64];
  std::memcpy(bytes, shapes, sizeof(bytes));
  const auto is_zero = [&](int begin, int end) {
    return std::all_of(bytes + begin, bytes + end, [](std::uint8_t byte) { return byte == 0; });
  };
  require(bytes[0] == 1, "a palette other than 1");
  require(is_zero(1, 16) && is_zero(16 + 2 * kTiles, 48) && is_zero(48 + kTiles, 64),
          "a configuration with something in its reserved bytes");
  for (int i = 0; i < kTiles; ++i) {
    Tile& to = registers.tiles[i] = {};
    to.row_bytes = read<std::uint16_t>(bytes + 16 + 2 * i);
    to.rows = bytes[48 + i];
    require(to.rows <= kRows && to.row_bytes <= kRowBytes, "a shape that is too large");
    require((to.rows == 0) == (to.row_bytes == 0),
            "a shape of rows without columns or without rows");
  }
  registers.is_configured = true;
}

void tilerelease() { registers.is_configured = false; }

void tilezero(int number) {
  Tile& to = tile(number);
  std::memset(to.data, 0, sizeof(to.data));
}

void tileloadd(int number, const void* rows, std::ptrdiff_t stride) {
  Tile& to = tile(number);
  for (int r = 0; r < to.rows; ++r) {
    std::memcpy(to.data[r], static_cast<const std::byte*>(rows) + r * stride, to.row_bytes);
  }
}

void tilestored(int number, void* rows, std::ptrdiff_t stride) {
  const Tile& from = tile(number);
  for (int r = 0; r < from.rows; ++r) {
    std::memcpy(static_cast<std::byte*>(rows) + r * stride, from.data[r], from.row_bytes);
  }
}

void tdpbssd(int sum, int a, int b) { dot_bytes<std::int8_t, std::int8_t>({sum, a, b}); }
void tdpbsud(int sum, int a, int b) { dot_bytes<std::int8_t, std::uint8_t>({sum, a, b}); }
void tdpbusd(int sum, int a, int b) { dot_bytes<std::uint8_t, std::int8_t>({sum, a, b}); }
void tdpbuud(int sum, int a, int b) { dot_bytes<std::uint8_t, std::uint8_t>({sum, a, b}); }

void tdpbf16ps(int sum_number, int a_number, int b_number) {
  const Operands of(sum_number, a_number, b_number);
  double a[kRows][2 * kColumns], b[kRows][2 * kColumns];
  widen(of.a, a);
  widen(of.b, b);
  for (int m = 0; m < of.sum.rows; ++m) {
    for (int n = 0; n < of.sum.row_bytes / 4; ++n) {
      double even = 0, odd = 0;
      for (int k = 0; k < of.b.rows; ++k) {
        even = rounded(a[m][2 * k] * b[k][2 * n] + even);
        odd = rounded(a[m][2 * k + 1] * b[k][2 * n + 1] + odd);
      }
      std::uint8_t* const to = of.sum.data[m] + 4 * n;
      const double before = without_subnormal(read<float>(to));
      const auto sum = static_cast<float>(rounded(before + rounded(even + odd)));
      std::memcpy(to, &sum, 4);
    }
  }
}

}  // namespace emulated
}  // namespace leyden::simd
