#include "src/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "formats/container_writer.h"
#include "formats/load_error.h"
#include "formats/output_file.h"
#include "formats/tokenizer_file.h"
#include "src/conversion_builders.h"
#include "src/fingerprint.h"
#include "src/model/load_meter.h"
#include "src/model/loaded_model.h"
#include "src/recipes.h"
#include "src/runtime/elapsed.h"
#include "src/runtime/memory.h"
#include "src/source_files.h"
#include "src/text/generation_config.h"
#include "src/text/tokenizer.h"

namespace leyden {
namespace {

/// Changes whenever the same input would be rounded to other numbers: a container begun by another
/// version isn't gone on with.
constexpr const char* kRounding = "rounding 3";

std::vector<formats::Blob> blobs_of(const formats::Checkpoint& checkpoint,
                                    const model::ExpertCounts& expert_counts) {
  std::vector<formats::Blob> blobs = {{"config.json", checkpoint.config_text()}};
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                           "generation_config.json"}) {
    if (auto text = checkpoint.companion(name)) blobs.push_back({name, std::move(*text)});
  }
  if (!expert_counts.empty()) {
    blobs.push_back({std::string(model::kExpertCountsBlob), model::to_json(expert_counts)});
  }
  return blobs;
}

/// One conversion under way.
class Conversion {
 public:
  Conversion(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
             const ConvertOptions& options, runtime::ThreadTeam& team,
             const ConvertProgress& progress)
      : options_(options),
        team_(team),
        files_(checkpoint),
        builders_(checkpoint, recipe, options.calibration),
        jobs_(builders_.jobs(kAhead * static_cast<std::size_t>(team.size()))),
        writer_(options.out, recipe.name, blobs_of(checkpoint, options.expert_counts),
                builders_.specs(),
                {.unfinished =
                     options.resume ? formats::Unfinished::kKeep : formats::Unfinished::kDiscard,
                 .compressed = options.compress,
                 .source = source_of(checkpoint, files_, recipe, options),
                 .n_pieces = builders_.n_pieces()}),
        meters_(options.measure ? builders_.n_pieces() : 0),
        workers_(static_cast<std::size_t>(team.size())),
        report_([this, progress](std::uint64_t done, std::uint64_t total) {
          const std::string* const name = current_.load(std::memory_order_relaxed);
          if (progress) progress(done, total, name == nullptr ? "" : *name);
        }),
        meter_(total_bytes(), report_) {}

  ConvertResult run() {
    const auto recovered = recovered_pieces();
    team_.run(static_cast<int>(jobs_.size()), [&](int i, int index) {
      const Job& job = jobs_[static_cast<std::size_t>(i)];
      Worker& worker = workers_[static_cast<std::size_t>(index)];
      const auto start = runtime::Clock::now();
      if (job.learns >= 0) {
        learn(job, recovered);
      } else {
        make(job, recovered, worker);
      }
      const double seconds = runtime::seconds_since(start);
      worker.seconds += seconds;
      if (job.learns >= 0) worker.learning_seconds += seconds;
    });
    files_.check_unchanged();
    ConvertResult result;
    result.fingerprint = writer_.finish();
    double seconds = 0;
    for (const Worker& worker : workers_) {
      seconds += worker.seconds;
      result.resumed_bytes += worker.resumed_bytes;
      result.learning_share += worker.learning_seconds;
    }
    if (seconds > 0) result.learning_share /= seconds;
    if (options_.measure) add_losses(result);
    return result;
  }

 private:
  /// By tensor and offset; of a piece that was written again the last one.
  using Pieces = std::map<std::pair<std::size_t, std::uint64_t>, formats::WrittenPiece>;

  /// How many pieces a thread early levels are learned: learning takes as long as one piece or two.
  static constexpr std::size_t kAhead = 3;

  struct alignas(64) Worker {
    runtime::Memory buffer;
    double seconds = 0, learning_seconds = 0;
    std::uint64_t resumed_bytes = 0;
  };

  /// Unless the first piece, and so most likely the matrix, is there already.
  void learn(const Job& job, const Pieces& recovered) {
    const model::TensorBuilder& builder = builders_.all[job.tensor];
    if (recovered.contains({job.tensor, builder.range(job.piece).offset})) return;
    meter_.attempt(0, [&] { builder.learn(job.learns); });
  }

  void make(const Job& job, const Pieces& recovered, Worker& worker) {
    const model::TensorBuilder& builder = builders_.all[job.tensor];
    const model::TensorBuilder::Range range = builder.range(job.piece);
    current_.store(&builder.spec().name, std::memory_order_relaxed);
    meter_.attempt(range.bytes, [&] {
      if (worker.buffer.size() < range.bytes) worker.buffer = runtime::Memory(range.bytes);
      const std::span<std::byte> bytes(worker.buffer.data(), range.bytes);
      const auto found = recovered.find({job.tensor, range.offset});
      if (found != recovered.end() && writer_.adopt(found->second, bytes, job.number)) {
        worker.resumed_bytes += range.bytes;
      } else {
        builder.build(job.piece, bytes.data());
        writer_.write(job.tensor, range.offset, bytes, job.number);
      }
      if (options_.measure) meters_[job.number] = builder.measure(job.piece, bytes.data());
    });
  }

  static std::vector<formats::Ingredient> source_of(const formats::Checkpoint& checkpoint,
                                                    const SourceFiles& files,
                                                    const quant::Recipe& recipe,
                                                    const ConvertOptions& options) {
    return {
        {"the version of leyden", kRounding},
        {"the checkpoint's files", leyden::fingerprint(checkpoint, {}) + files.identity()},
        {"the recipe", to_text(recipe)},
        {"the calibration",
         options.calibration == nullptr ? "" : options.calibration->fingerprint()},
        {"the routing stats", model::to_json(options.expert_counts)},
    };
  }

  std::uint64_t total_bytes() const {
    std::uint64_t total = 0;
    for (const model::TensorBuilder& builder : builders_.all) total += builder.spec().bytes();
    return total;
  }

  Pieces recovered_pieces() const {
    Pieces pieces;
    for (const formats::WrittenPiece& piece : writer_.recovered()) {
      pieces[{piece.tensor, piece.offset}] = piece;
    }
    return pieces;
  }

  void add_losses(ConvertResult& result) const {
    // Sums are rounded: pieces are added in the order of the jobs, whoever did them.
    std::vector<quant::ErrorMeter> by_tensor(builders_.all.size());
    for (const Job& job : jobs_) {
      if (job.learns < 0) by_tensor[job.tensor].merge(meters_[job.number]);
    }
    quant::ErrorMeter total;
    for (std::size_t i = 0; i < by_tensor.size(); ++i) {
      const quant::TensorSpec& spec = builders_.all[i].spec();
      if (spec.layout == quant::Layout::kRows) continue;
      result.losses.push_back({spec, by_tensor[i].figures()});
      total.merge(by_tensor[i]);
    }
    result.total = total.figures();
  }

  const ConvertOptions& options_;
  runtime::ThreadTeam& team_;
  SourceFiles files_;
  Builders builders_;
  std::vector<Job> jobs_;
  formats::ContainerWriter writer_;
  std::vector<quant::ErrorMeter> meters_;  // of each piece
  std::vector<Worker> workers_;
  std::atomic<const std::string*> current_ = nullptr;
  model::Progress report_;
  model::LoadMeter meter_;
};

}  // namespace

ConversionPlan plan_conversion(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
                               const Calibration* calibration) {
  const Builders builders(checkpoint, recipe, calibration);
  ConversionPlan plan;
  plan.n_model_tensors = builders.n_model;
  plan.n_int4 = builders.n_int4;
  plan.n_calibrated = builders.n_calibrated;
  std::set<std::string> used;
  for (std::size_t i = 0; i < builders.all.size(); ++i) {
    const quant::TensorSpec& spec = plan.tensors.emplace_back(builders.all[i].spec());
    plan.tensor_bytes += spec.bytes();
    if (i < builders.n_model) plan.model_bytes += spec.bytes();
    for (std::int64_t m = 0; m < spec.count; ++m) used.insert(builders.plan[i].source.name_of(m));
  }
  for (const formats::CheckpointTensor& tensor : checkpoint.tensors()) {
    if (!used.contains(tensor.name)) plan.left_out.push_back(tensor.name);
  }
  return plan;
}

void check_companions(const formats::Checkpoint& checkpoint) {
  model::LoadedModel loaded;
  loaded.source = checkpoint.name();
  model::adopt_companions(loaded,
                          [&](std::string_view name) { return checkpoint.companion(name); });
  if (loaded.tokenizer_json) {
    text::Tokenizer(
        formats::parse_tokenizer_json(*loaded.tokenizer_json, loaded.source + ": tokenizer.json"));
  }
  if (loaded.generation_config) {
    text::parse_generation_config(*loaded.generation_config,
                                  loaded.source + ": generation_config.json");
  }
}

std::vector<std::filesystem::path> inputs_of(const formats::Checkpoint& checkpoint,
                                             const ConvertOptions& options) {
  std::vector<std::filesystem::path> inputs = checkpoint.files();
  if (options.calibration != nullptr) inputs.emplace_back(options.calibration->source());
  inputs.insert(inputs.end(), options.other_inputs.begin(), options.other_inputs.end());
  return inputs;
}

ConvertResult convert(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
                      const ConvertOptions& options, runtime::ThreadTeam& team,
                      const ConvertProgress& progress) {
  // The original may be the only copy there is.
  const std::vector<std::filesystem::path> inputs = inputs_of(checkpoint, options);
  formats::spare_inputs(options.out, inputs);
  formats::spare_inputs(formats::place_of(options.out).string() + ".partial.journal", inputs);
  check_companions(checkpoint);
  return Conversion(checkpoint, recipe, options, team, progress).run();
}

double estimate_seconds(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe) {
  constexpr std::size_t kSamples = 6;  // pieces of a format
  const Builders builders(checkpoint, recipe);
  std::map<quant::WeightFormat, std::vector<const model::TensorBuilder*>> by_format;
  for (const model::TensorBuilder& builder : builders.all) {
    by_format[builder.spec().format].push_back(&builder);
  }
  double total = 0;
  for (auto& [format, all] : by_format) {
    std::stable_sort(all.begin(), all.end(), [](const auto* a, const auto* b) {
      return a->spec().bytes() > b->spec().bytes();
    });
    double sampled_bytes = 0, seconds = 0, bytes = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      bytes += static_cast<double>(all[i]->spec().bytes());
      if (i >= kSamples) continue;
      // Not a matrix' first piece where there is another: learning its levels would count too much.
      const int piece = all[i]->n_pieces() > 1 ? 1 : 0;
      runtime::Memory buffer(all[i]->range(piece).bytes);
      all[i]->build(piece, buffer.data());  // warms up: levels, page cache
      const auto start = runtime::Clock::now();
      all[i]->build(piece, buffer.data());
      seconds += runtime::seconds_since(start);
      sampled_bytes += static_cast<double>(buffer.size());
    }
    total += bytes * seconds / sampled_bytes;
  }
  return total;
}

}  // namespace leyden
