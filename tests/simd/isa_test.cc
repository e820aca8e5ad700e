#include "simd/isa.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include "tests/simd/every_isa.h"

namespace leyden::simd {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(IsaTest, ScalarIsAlwaysAvailableAndLevelsIncludeTheWeakerOnes) {
  const std::vector<Isa> isas = available_isas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.front(), Isa::kScalar);
  EXPECT_TRUE(std::ranges::is_sorted(isas));
  for (const Isa isa : isas) EXPECT_TRUE(cpu_has(isa));
  for (const Isa isa : kEveryIsa) {
    EXPECT_TRUE(isa > isas.back() || can_run(features_of_this_cpu(), isa)) << name(isa);
  }
}

/// What Linux says of the first CPU under `key`, or nothing.
std::string cpuinfo(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(key + "\t")) return line.substr(line.find(": ") + 2);
  }
  return "";
}

TEST(IsaTest, KnowsTheMakersOfCpusAsLinuxDoes) {
  const std::string maker = cpuinfo("vendor_id"), family = cpuinfo("cpu family");
  if (maker.empty() || family.empty()) GTEST_SKIP() << "no /proc/cpuinfo";
  const bool is_intel = maker == "GenuineIntel";
  const bool is_zen5 = maker == "AuthenticAMD" && std::stoi(family) >= 26;
  EXPECT_EQ(lead_of_cpu(), is_intel ? Lead::kFarL2 : is_zen5 ? Lead::kTwoRuns : Lead::kL1);
  EXPECT_EQ(has_bf16_dot(),
            (" " + cpuinfo("flags") + " ").find(" avx512_bf16 ") != std::string::npos);
  EXPECT_EQ(dots_bf16_at_once(), has_bf16_dot() && !is_intel);
  EXPECT_EQ(loads_are_scarce(), is_zen5);
}

std::uint32_t bits(std::initializer_list<int> positions) {
  std::uint32_t mask = 0;
  for (const int p : positions) mask |= 1u << p;
  return mask;
}

Isa best_of(const CpuFeatures& cpu) {
  Isa best = Isa::kScalar;
  for (const Isa isa : kEveryIsa) {
    if (can_run(cpu, isa)) best = isa;
  }
  return best;
}

TEST(IsaTest, LevelsAskForWhatTheyUseAndNoMore) {
  CpuFeatures cpu;  // from Haswell on
  cpu.saved_states = 0x7;
  cpu.ecx1 = bits({12, 28, 29});
  cpu.ebx7 = bits({5});
  EXPECT_EQ(best_of(cpu), Isa::kScalar) << "whose bits aren't counted";
  cpu.ecx1 |= bits({23});
  EXPECT_EQ(best_of(cpu), Isa::kAvx2);
  cpu.ebx7 |= bits({16, 17, 30, 31});
  EXPECT_EQ(best_of(cpu), Isa::kAvx2) << "whose registers aren't saved";
  cpu.saved_states = 0xe7;
  EXPECT_EQ(best_of(cpu), Isa::kAvx512) << "Skylake";
  cpu.ecx7 = bits({11});
  EXPECT_EQ(best_of(cpu), Isa::kAvx512Vnni) << "Cascade Lake";
  EXPECT_FALSE(has_bf16_dot(cpu));
  cpu.ecx7 |= bits({1});
  EXPECT_EQ(best_of(cpu), Isa::kAvx512Vnni) << "Ice Lake";
  EXPECT_FALSE(has_bf16_dot(cpu));
  cpu.eax7_1 = bits({5});
  EXPECT_EQ(best_of(cpu), Isa::kAvx512Vnni) << "Zen 4";
  EXPECT_TRUE(has_bf16_dot(cpu));
  cpu.edx7 = bits({22, 24, 25});
  EXPECT_EQ(best_of(cpu), Isa::kAvx512Vnni) << "whose tiles aren't saved";
  cpu.saved_states = 0x600e7;
  EXPECT_EQ(best_of(cpu), Isa::kAmx) << "Sapphire Rapids";
  cpu.ecx1 = 0;
  EXPECT_EQ(best_of(cpu), Isa::kScalar) << "no level without those below it";
}

TEST(IsaTest, NothingWantedMeansTheBestLevel) {
  EXPECT_EQ(select_isa(nullptr), available_isas().back());
  EXPECT_EQ(select_isa(""), available_isas().back());
}

TEST(IsaTest, EveryAvailableLevelCanBeForcedByItsName) {
  for (const Isa isa : available_isas()) {
    EXPECT_EQ(select_isa(std::string(name(isa)).c_str()), isa);
  }
}

TEST(IsaTest, UnknownNamesAreRefusedWithASentenceThatListsTheKnownOnes) {
  for (const char* wanted : {"avx", "AVX2", "avx512 ", "sse", "0"}) {
    EXPECT_THAT([&] { select_isa(wanted); },
                ThrowsMessage<std::runtime_error>(
                    AllOf(HasSubstr(std::string("LEYDEN_ISA=") + wanted), HasSubstr("unknown"),
                          HasSubstr("scalar, avx2, avx512, avx512vnni or amx"))));
  }
}

TEST(IsaTest, LevelsOfAnotherMachineAreRefusedWithASentenceThatNamesTheBestOneHere) {
  const auto weak_cpu = [](Isa isa) { return isa <= Isa::kAvx2; };
  for (const Isa isa : {Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAmx}) {
    EXPECT_THAT(
        [&] { select_isa(std::string(name(isa)).c_str(), weak_cpu); },
        ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("LEYDEN_ISA=" + std::string(name(isa))),
                                                HasSubstr("can't run"), HasSubstr("avx2"))));
  }
  EXPECT_EQ(select_isa("avx2", weak_cpu), Isa::kAvx2);
  EXPECT_EQ(select_isa(nullptr, weak_cpu), Isa::kAvx2);
}

TEST(KernelsTest, EveryTableThatWasBuiltIsFullAndKnowsItsLevel) {
  std::istringstream built(LEYDEN_ISA_LEVELS);
  const std::set<std::string> levels{std::istream_iterator<std::string>(built), {}};
  for (const Isa isa : kEveryIsa) {
    if (!levels.contains(std::string(name(isa)))) {
      EXPECT_FALSE(cpu_has(isa)) << name(isa);
      continue;
    }
    const Kernels& table = kernels(isa);
    EXPECT_EQ(table.isa, isa);
#define LEYDEN_EXPECT_ENTRY(kernel, type) EXPECT_NE(table.kernel, nullptr) << #kernel;
    LEYDEN_KERNELS(LEYDEN_EXPECT_ENTRY)
#undef LEYDEN_EXPECT_ENTRY
  }
}

/// kernels() decides once per process, so each case runs in a process of its own.
int kernels_exit_code(const char* isa) {
  ::setenv("LEYDEN_ISA", isa, 1);
  try {
    return kernels().isa == select_isa(isa) ? 0 : 1;
  } catch (const std::runtime_error&) {
    return 2;
  }
}

TEST(KernelsDeathTest, TheEnvironmentForcesTheLevelOfTheProcessOrStopsIt) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  for (const Isa isa : available_isas()) {
    EXPECT_EXIT(std::exit(kernels_exit_code(std::string(name(isa)).c_str())),
                testing::ExitedWithCode(0), "");
  }
  EXPECT_EXIT(std::exit(kernels_exit_code("avx1024")), testing::ExitedWithCode(2), "");
}

}  // namespace
}  // namespace leyden::simd
