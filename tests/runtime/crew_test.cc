#include "src/runtime/crew.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "src/runtime/thread_team.h"

namespace leyden::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

std::vector<int> cpus_of(const Crew& crew) {
  std::vector<int> cpus;
  for (const Crew::Worker& worker : crew.workers) cpus.push_back(worker.cpu);
  return cpus;
}

CrewOptions threads(int n) { return {n, "", ""}; }
CrewOptions on_cpus(const std::string& list) { return {0, list, ""}; }
CrewOptions on_nodes(const std::string& list) { return {0, "", list}; }

// Two packages with a node, 3 cores and 2 threads a core each: CPUs 0 to 11, cores 0-1, 2-3 ...
const char* const kTwoNodes = "pack:2 [numa] core:3 pu:2";

TEST(Topology, KnowsNodesCoresAndThreads) {
  const Topology t = read_topology(kTwoNodes);
  EXPECT_EQ(t.n_packages, 2);
  ASSERT_EQ(t.nodes.size(), 2u);
  ASSERT_EQ(t.cores.size(), 6u);
  EXPECT_EQ(t.n_cpus(), 12);
  EXPECT_EQ(t.cores[4].node, 1);
  EXPECT_THAT(t.cores[4].cpus, ElementsAre(8, 9));
  EXPECT_THROW(read_topology("no machine"), std::invalid_argument);
}

TEST(Topology, CoresOfANodeWithoutMemoryGoToTheNearestThatHasSome) {
  const std::vector<Node> nodes = {
      {0, 0, {10, 30, 20}}, {1, 1 << 20, {30, 10, 40}}, {2, 1 << 20, {20, 40, 10}}};
  EXPECT_EQ(nearest_with_memory(nodes, 0), 2);
  EXPECT_EQ(nearest_with_memory(nodes, 1), 1);
  EXPECT_EQ(nearest_with_memory({{0, 0, {}}, {1, 1, {}}}, 0), 1);
  EXPECT_EQ(nearest_with_memory({{0, 0, {}}, {1, 0, {}}}, 1), 1);
}

TEST(Topology, AQuotaLimitsTheCores) {
  Topology t = read_topology(kTwoNodes);
  EXPECT_EQ(t.usable_cores(), 6);
  t.cpu_quota = 2.5;
  EXPECT_EQ(t.usable_cores(), 3);
  EXPECT_EQ(plan_crew(t, {}).size(), 3);
  t.cpu_quota = 0.01;
  EXPECT_EQ(t.usable_cores(), 1);
}

TEST(Topology, OfThisMachineHasSomethingToComputeOn) {
  const Topology t = read_topology();
  EXPECT_GE(t.nodes.size(), 1u);
  EXPECT_GE(t.usable_cores(), 1);
}

TEST(Crew, TakesOneThreadPerCoreByDefault) {
  const Crew crew = plan_crew(read_topology(kTwoNodes), {});
  EXPECT_THAT(cpus_of(crew), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(crew.nodes, ElementsAre(0, 1));
  EXPECT_EQ(crew.size_of(0), 3);
  EXPECT_EQ(crew.size_of(1), 3);
}

TEST(Crew, SpreadsFewerThreadsOverNodes) {
  EXPECT_THAT(cpus_of(plan_crew(read_topology(kTwoNodes), threads(1))), ElementsAre(0));
  EXPECT_THAT(cpus_of(plan_crew(read_topology(kTwoNodes), threads(4))), ElementsAre(0, 2, 6, 8));
}

TEST(Crew, UsesSecondThreadsOfCoresLast) {
  const Crew crew = plan_crew(read_topology(kTwoNodes), threads(8));
  EXPECT_THAT(cpus_of(crew), ElementsAre(0, 2, 4, 1, 6, 8, 10, 7));
}

TEST(Crew, BindsNobodyWhenThereAreMoreThreadsThanTheMachineHas) {
  const Crew crew = plan_crew(read_topology(kTwoNodes), threads(13));
  EXPECT_EQ(crew.size(), 13);
  for (const int cpu : cpus_of(crew)) EXPECT_EQ(cpu, -1);
}

TEST(Crew, StaysOnTheCpusAndNodesItIsGiven) {
  EXPECT_THAT(cpus_of(plan_crew(read_topology(kTwoNodes), on_cpus("1,4-6"))), ElementsAre(1, 4, 6));
  const Crew second = plan_crew(read_topology(kTwoNodes), on_nodes("1"));
  EXPECT_THAT(cpus_of(second), ElementsAre(6, 8, 10));
  EXPECT_THAT(second.nodes, ElementsAre(1));
}

TEST(Crew, RefusesCpusAndNodesThatAreNotThere) {
  const auto plan = [](const CrewOptions& options) {
    return [options] { plan_crew(read_topology(kTwoNodes), options); };
  };
  using Error = std::runtime_error;
  EXPECT_THAT(plan(on_cpus("0,40")), ThrowsMessage<Error>(HasSubstr("CPUs 40 can't be used")));
  EXPECT_THAT(plan(on_nodes("2")), ThrowsMessage<Error>(HasSubstr("may use 0,1")));
  EXPECT_THAT(plan({0, "0", "1"}), ThrowsMessage<Error>(HasSubstr("none of CPUs")));
  EXPECT_THAT(plan(on_cpus("x")), ThrowsMessage<Error>(HasSubstr("--cpus are 'x'")));
}

TEST(Crew, TakesCoresThatOtherTeamsDontHave) {
  const Topology t = read_topology("pack:1 [numa] core:4 pu:2");  // cores 0-1, 2-3 ...
  const auto next = [&](int n) { return cpus_of(plan_crew(t, threads(n))); };
  EXPECT_THAT(next(2), ElementsAre(0, 2));
  {
    const ThreadTeam team(plan_crew(t, threads(2)));
    EXPECT_THAT(next(2), ElementsAre(4, 6));
    EXPECT_THAT(next(4), ElementsAre(4, 6, 1, 3));  // the second threads of cores that are taken
    const ThreadTeam other(plan_crew(t, threads(2)));
    EXPECT_THAT(next(1), ElementsAre(1));
    EXPECT_THAT(cpus_of(plan_crew(t, on_cpus("0-1"))), ElementsAre(1));
  }
  EXPECT_THAT(next(2), ElementsAre(0, 2));
}

}  // namespace
}  // namespace leyden::runtime
