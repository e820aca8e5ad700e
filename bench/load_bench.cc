// How fast a container is loaded: load_bench FILE [THREADS]. If FILE isn't there it is made first,
// of random weights in DeepSeek-V3.2's widths (one dense and one MoE layer, int4, 7 GB). Times,
// each the best of three, with the file in the page cache:
//   a plain parallel read into buffers that are used again and again
//   the same into fresh memory, small pages and huge ones, as any program that keeps what it reads
//   must do
//   leyden from the start of loading to the first token
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "formats/container_writer.h"
#include "formats/input_file.h"
#include "formats/recipe_file.h"
#include "src/model/synthetic.h"
#include "src/runtime/crew.h"
#include "src/runtime/elapsed.h"
#include "src/session.h"

namespace leyden {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{8} << 20;

void make_container(const std::filesystem::path& path, runtime::ThreadTeam& team) {
  const formats::ModelConfig config = model::synthetic_config("v3.2", 1, 1);
  const quant::Recipe recipe = formats::load_recipe("int4");
  const std::vector<quant::TensorSpec> specs = model::synthetic_specs(config, recipe);
  const auto loaded = model::make_synthetic(config, recipe, model::one_arena(specs), team, {});
  formats::ContainerWriter writer(path, recipe.name, {{"config.json", formats::to_json(config)}},
                                  specs);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    for (const model::Segment& s : model::segments(loaded->tensors.at(specs[i].name))) {
      writer.write(i, s.from, {s.to, s.bytes});
    }
  }
  writer.finish();
}

/// Seconds of `work`. `give_back`, which isn't measured, frees what it made.
double best_of_three(const std::function<void()>& work, const std::function<void()>& give_back) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const auto start = runtime::Clock::now();
    work();
    best = std::min(best, runtime::seconds_since(start));
    give_back();
  }
  return best;
}

/// Reads the file piece by piece on all threads; `to` says where a thread puts the piece at an
/// offset.
void read_all(const formats::InputFile& file, runtime::ThreadTeam& team,
              const std::function<std::byte*(std::uint64_t offset, int worker)>& to) {
  team.run(static_cast<int>((file.size() + kPieceBytes - 1) / kPieceBytes),
           [&](int piece, int worker) {
             const std::uint64_t offset = static_cast<std::uint64_t>(piece) * kPieceBytes;
             const std::uint64_t bytes = std::min(kPieceBytes, file.size() - offset);
             file.read_exact(offset, {to(offset, worker), bytes});
           });
}

int run(const std::filesystem::path& path, int threads) {
  runtime::ThreadTeam team(runtime::plan_crew(runtime::read_topology(), {threads, "", ""}));
  if (!std::filesystem::exists(path)) make_container(path, team);
  const formats::InputFile file(path);
  const double gb = static_cast<double>(file.size()) / 1e9;
  const runtime::Memory buffers(kPieceBytes * static_cast<std::uint64_t>(team.size()));
  const auto into_buffers = [&] {
    read_all(file, team, [&](std::uint64_t, int worker) {
      return buffers.data() + static_cast<std::uint64_t>(worker) * kPieceBytes;
    });
  };
  into_buffers();  // fills the page cache
  const double plain = best_of_three(into_buffers, [] {});
  const auto into_fresh = [&](runtime::HugePages pages) {
    runtime::Memory memory;
    return best_of_three(
        [&] {
          memory = runtime::Memory(file.size(), pages);
          read_all(file, team, [&](std::uint64_t offset, int) { return memory.data() + offset; });
        },
        [&] { memory = {}; });
  };
  const double small = into_fresh(runtime::HugePages::kOff);
  const double huge = into_fresh(runtime::HugePages::kAuto);
  EngineOptions options;
  options.threads = threads;
  options.context = 64;
  std::optional<Session> session;
  const double load = best_of_three([&] { session.emplace(Engine::load(path, options)).decode(1); },
                                    [&] { session.reset(); });
  const auto report = [&](const char* what, double seconds) {
    fmt::print("{:<34} {:>7.3f} s {:>7.2f} GB/s {:>6.2f}\n", what, seconds, gb / seconds,
               seconds / plain);
  };
  fmt::print("{:.2f} GB, {} threads\n", gb, team.size());
  report("plain read into used buffers", plain);
  report("plain read into fresh 4 KiB pages", small);
  report("plain read into fresh huge pages", huge);
  report("leyden, to the first token", load);
  return 0;
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    fmt::print(stderr, "usage: load_bench FILE [THREADS]\n");
    return 2;
  }
  try {
    return leyden::run(argv[1], argc == 3 ? std::stoi(argv[2]) : 0);
  } catch (const std::exception& error) {
    fmt::print(stderr, "load_bench: {}\n", error.what());
    return 1;
  }
}
