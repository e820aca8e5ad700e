#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace leyden::formats {
struct ModelConfig;
}
namespace leyden::text {
class Tokenizer;
enum class ChatFormat;
struct SamplerOptions;
}  // namespace leyden::text

namespace leyden {

/// How numbers of the KV cache are kept.
enum class KvCacheFormat { kF32, kBf16, kInt8 };
/// How the indexer's keys are kept. kAuto: f32 beside an f32 KV cache, otherwise int8.
enum class IndexCacheFormat { kAuto, kF32, kBf16, kInt8 };
/// Which cached tokens a query attends to.
enum class AttentionChoice { kAuto, kSparse, kDense };
/// Which form of MLA is computed. kAbsorb gives the same bits however a prompt is cut up.
enum class MlaChoice { kAuto, kAbsorb, kDecompress };
enum class HugePageChoice { kAuto, kThp, kHugetlb, kOff };
/// How weights are divided among NUMA nodes (docs/numa.md). kAuto: split where that fits.
enum class NumaChoice { kAuto, kSplit, kWhole, kInterleave };

struct EngineOptions {
  static constexpr int kMostThreads = 4096;
  /// Recipe for an original checkpoint or GGUF file, quantized while loading: "f32", "bf16",
  /// "int8", "balanced", "int4", "small" or a recipe file. Empty: "int8". A leyden container brings
  /// its own; naming another is an error.
  std::string weights;
  KvCacheFormat kv_cache = KvCacheFormat::kBf16;
  IndexCacheFormat index_cache = IndexCacheFormat::kAuto;
  AttentionChoice attention = AttentionChoice::kAuto;
  MlaChoice mla = MlaChoice::kAuto;
  int threads = 0;           // 0: one per physical core this process may use
  int prefill_chunk = 2048;  // tokens of a prompt computed together
  std::int64_t context = 0;  // tokens a session may hold; 0: what the model was made for
  HugePageChoice huge_pages = HugePageChoice::kAuto;
  bool mmap = false;   // map a container's weights instead of reading them into huge pages
  bool mlock = false;  // keep the weights in RAM
  NumaChoice numa = NumaChoice::kAuto;
  std::string cpus;   // hardware threads to compute on, "0-7,16"; empty: any
  std::string nodes;  // NUMA nodes to compute on, "0,1"; empty: any
  /// What `leyden eval --routing-stats` has counted, for kWhole. Empty: what a container brings.
  std::filesystem::path routing_stats;
  /// Hears while sessions compute what can't be known before: that pages of a cache don't lie on
  /// their node, and why. Called once at most, by the thread that computes.
  std::function<void(const std::string& warning)> warn;
};

/// Bytes done and bytes in all, while a model is loaded. Called by one thread at a time.
using LoadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// A loaded model: weights, tokenizer and the threads that compute. Immutable; any number of
/// sessions may share it and its buffers, and take turns.
class Engine {
 public:
  /// path: a leyden container, the directory of an original checkpoint, or a GGUF file (its first
  /// part).
  /// Errors: formats::LoadError saying what is wrong with which file; std::runtime_error for
  ///         options that contradict the model or the machine.
  static std::shared_ptr<const Engine> load(const std::filesystem::path& path,
                                            const EngineOptions& options = {},
                                            const LoadProgress& progress = {});
  /// Random weights in a model's true widths, for benchmarks: shape "v3.2", "v3" or "lite", with so
  /// many dense and MoE layers. It has no tokenizer. Errors: std::runtime_error.
  static std::shared_ptr<const Engine> synthetic(const std::string& shape, int dense_layers,
                                                 int moe_layers, const EngineOptions& options = {},
                                                 const LoadProgress& progress = {});
  /// The same weights with other threads, cache, chunk and attention; what concerns loading stays.
  std::shared_ptr<const Engine> with(const EngineOptions& options) const;
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const EngineOptions& options() const;  // with every default filled in
  /// What a user should hear about how the model was loaded: weights that don't lie where they were
  /// to lie. Usually empty.
  const std::vector<std::string>& warnings() const;
  const formats::ModelConfig& config() const;
  /// Identifies model and recipe, for files that belong to them: 32 hexadecimal digits, a
  /// container's own, or a checkpoint's with the recipe it was loaded by (src/fingerprint.h).
  const std::string& fingerprint() const;
  /// Errors: formats::LoadError when the model came without a tokenizer.
  const text::Tokenizer& tokenizer() const;
  bool has_tokenizer() const;
  /// How conversations are rendered for this model.
  text::ChatFormat chat_format() const;
  /// Ids below this have logits.
  std::int32_t vocab_size() const;
  /// The token every text begins with, if the model has one.
  std::optional<std::int32_t> begin_token() const;
  /// Tokens that end an answer.
  const std::vector<std::int32_t>& stop_tokens() const;
  /// What the model's makers recommend (generation_config.json), or leyden's defaults.
  const text::SamplerOptions& recommended_sampling() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Engine(std::unique_ptr<Impl> impl);
  static std::unique_ptr<Impl> prepare(const EngineOptions& options);
  static std::shared_ptr<const Engine> finish(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace leyden
