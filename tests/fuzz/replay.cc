// Feeds a fuzz target its seeds, each as it is and in some hundred mutations: what a build can do
// without libFuzzer. replay TARGET FILE|FOLDER...
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;
constexpr int kMutations = 100;

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// One to four changes: a byte, a stretch gone, a stretch doubled, a number's extreme.
std::string mutated(std::string bytes, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t n = 1 + below(4); n > 0 && !bytes.empty(); --n) {
    const std::size_t at = below(bytes.size());
    const std::size_t length = 1 + below(std::min<std::size_t>(16, bytes.size() - at));
    switch (below(5)) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes.erase(at, length);
        break;
      case 2:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 3:
        bytes.replace(at, length, below(2) == 0 ? "9999999999999999999" : "-1");
        break;
      default:
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length,
                    below(2) == 0 ? '\xff' : '\0');
    }
  }
  return bytes;
}

void replay(leyden::fuzz::Target target, const fs::path& seed) {
  const std::string bytes = contents(seed);
  const auto feed = [&](const std::string& input) {
    target(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  };
  feed(bytes);
  std::mt19937 random(static_cast<unsigned>(bytes.size()));
  for (int i = 0; i < kMutations; ++i) feed(mutated(bytes, random));
}

}  // namespace

int main(int argc, char** argv) {
  const auto target = leyden::fuzz::targets().find(argc > 1 ? argv[1] : "");
  leyden::fuzz::must(target != leyden::fuzz::targets().end(), "the target is known");
  std::vector<fs::path> seeds;
  for (int i = 2; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      seeds.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(argv[i])) seeds.push_back(entry.path());
  }
  leyden::fuzz::must(!seeds.empty(), "there are seeds");
  std::sort(seeds.begin(), seeds.end());
  for (const fs::path& seed : seeds) replay(target->second, seed);
  std::printf("%zu seeds\n", seeds.size());
}
