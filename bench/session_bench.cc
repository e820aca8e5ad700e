// How fast sessions are kept and taken up again: megabytes of cache a second, written with fsync
// and read out of the page cache; and the share of the cache that a file takes. The noise of
// append_noise() compresses better than the demo model's rows do.
//   session_bench [DIRECTORY]

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "src/runtime/elapsed.h"
#include "src/session.h"

namespace leyden {
namespace {

double seconds(const std::function<void()>& work) {
  const auto start = runtime::Clock::now();
  work();
  return runtime::seconds_since(start);
}

void report(const std::string& name, Session& session, double cache_bytes,
            const std::filesystem::path& file) {
  double save = 1e9, load = 1e9;
  for (int i = 0; i < 3; ++i) {
    save = std::min(save, seconds([&] { session.save(file); }));
    load = std::min(load, seconds([&] { session.load(file); }));
  }
  const auto stored = static_cast<double>(std::filesystem::file_size(file));
  std::filesystem::remove(file);
  fmt::print("| {} | {} | {} | {:.1f} | {:.2f} | {:.0f} | {:.0f} |\n", name, session.position(),
             session.engine().options().threads, cache_bytes / 1e6, stored / cache_bytes,
             cache_bytes / save / 1e6, cache_bytes / load / 1e6);
  std::fflush(stdout);
}

void run(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / "leyden_session_bench.session";
  fmt::print(
      "| cache | tokens | threads | MB | stored | save MB/s | load MB/s |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const KvCacheFormat format : {KvCacheFormat::kBf16, KvCacheFormat::kInt8}) {
    const std::string kind = format == KvCacheFormat::kBf16 ? "bf16" : "int8";
    for (const int threads : {1, 2}) {
      EngineOptions options;
      options.threads = threads;
      options.kv_cache = format;
      const auto engine = Engine::synthetic("v3.2", 3, 0, options);
      Session session(engine);
      session.append_noise(65536);
      report(kind + ", noise, V3.2's widths, 3 layers", session,
             static_cast<double>(session.cache_bytes()), file);
      const auto demo =
          Engine::load(std::string(LEYDEN_SOURCE_DIR) + "/models/demo/checkpoint", options);
      Session talk(demo);
      std::vector<std::int32_t> tokens;
      std::mt19937 random(1);
      for (int i = 0; i < 4000; ++i) tokens.push_back(static_cast<std::int32_t>(random() % 2000));
      talk.prefill(tokens);
      report(kind + ", demo model", talk, static_cast<double>(talk.cache_bytes()), file);
    }
  }
}

}  // namespace
}  // namespace leyden

int main(int argc, char** argv) {
  leyden::run(argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path());
  return 0;
}
