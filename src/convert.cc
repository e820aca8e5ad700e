#include "src/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "formats/container_writer.h"
#include "formats/input_file.h"
#include "formats/load_error.h"
#include "formats/output_file.h"
#include "formats/tokenizer_file.h"
#include "src/fingerprint.h"
#include "src/model/layer_count.h"
#include "src/model/load_meter.h"
#include "src/model/loaded_model.h"
#include "src/model/tensor_builder.h"
#include "src/model/tied_head.h"
#include "src/recipes.h"
#include "src/runtime/memory.h"
#include "src/text/generation_config.h"
#include "src/text/tokenizer.h"

namespace leyden {
namespace {

/// Changes whenever the same input would be rounded to other numbers: a container begun by another
/// version isn't gone on with.
constexpr const char* kRounding = "rounding 3";

/// Making a piece of a tensor, or learning the levels of a matrix.
struct Job {
  std::size_t tensor;
  int piece;
  int learns = -1;           // the matrix; pieces: -1
  std::uint64_t number = 0;  // of the piece in the order in which the checkpoint holds them
};

/// Whether the checkpoint has any of the matrices a tensor is made from.
bool has_any(const formats::Checkpoint& checkpoint, const model::PlannedTensor& planned) {
  for (std::int64_t m = 0; m < planned.count; ++m) {
    if (checkpoint.find(planned.source.name_of(m)) != nullptr) return true;
  }
  return false;
}

/// The tensors of the MTP layers that are there. A layer is there as a whole, so that what it lacks
/// is refused and not dropped; only embedding and head may be missing, which are the model's then.
std::vector<model::PlannedTensor> mtp_tensors(const formats::Checkpoint& checkpoint) {
  std::vector<model::PlannedTensor> planned = model::plan_mtp_tensors(checkpoint.config());
  const auto layer_of = [](const model::PlannedTensor& tensor) {
    return tensor.name.substr(0, tensor.name.find('.', std::string_view("layers.").size()));
  };
  std::set<std::string> layers;
  for (const model::PlannedTensor& tensor : planned) {
    if (has_any(checkpoint, tensor)) layers.insert(layer_of(tensor));
  }
  std::erase_if(planned, [&](const model::PlannedTensor& tensor) {
    if (!layers.contains(layer_of(tensor))) return true;
    const bool may_lack = tensor.name.ends_with(".mtp.embed") || tensor.name.ends_with(".mtp.head");
    return may_lack && !has_any(checkpoint, tensor);
  });
  return planned;
}

/// The builders of all tensors; they borrow the plan.
struct Builders {
  Builders(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
           const Calibration* calibration = nullptr)
      : plan(model::plan_tensors(checkpoint.config())), n_model(plan.size()) {
    for (model::PlannedTensor& planned : mtp_tensors(checkpoint)) {
      plan.push_back(std::move(planned));
    }
    model::check_layer_count(checkpoint);
    model::check_tied_head(checkpoint);
    const model::FormatChooser choose = format_chooser(recipe, checkpoint);
    all.reserve(plan.size());
    bool is_used = false;
    for (const model::PlannedTensor& planned : plan) {
      const quant::WeightFormat format = choose(planned);
      std::vector<float> importance;
      if (calibration != nullptr && format == quant::WeightFormat::kInt4) {
        importance = calibration->importance(planned);
        is_used |= !importance.empty();
      }
      all.emplace_back(checkpoint, planned, format, std::move(importance));
    }
    if (calibration == nullptr || is_used) return;
    throw formats::LoadError(
        calibration->source(),
        "holds nothing about a tensor that becomes int4: another model's calibration, or a recipe "
        "without int4");
  }

  /// All pieces in the order in which the checkpoint holds them; and what has to be learned for
  /// them, n_ahead pieces earlier, so that the threads which need it don't wait for the one that
  /// learns it.
  std::vector<Job> jobs(std::size_t n_ahead) const {
    std::vector<std::pair<model::SourceRows::Place, Job>> pieces;
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (int piece = 0; piece < all[i].n_pieces(); ++piece) {
        pieces.push_back({all[i].place(piece), {i, piece}});
      }
    }
    std::stable_sort(pieces.begin(), pieces.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Job> sorted;
    std::size_t looked_at = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      for (; looked_at < std::min(i + n_ahead + 1, pieces.size()); ++looked_at) {
        Job job = pieces[looked_at].second;
        job.number = looked_at;
        job.learns = all[job.tensor].matrix_that_learns(job.piece);
        if (job.learns >= 0) sorted.push_back(job);
      }
      Job job = pieces[i].second;
      job.number = i;
      sorted.push_back(job);
    }
    return sorted;
  }

  std::size_t n_pieces() const {
    std::size_t n = 0;
    for (const model::TensorBuilder& builder : all)
      n += static_cast<std::size_t>(builder.n_pieces());
    return n;
  }

  std::vector<model::PlannedTensor> plan;
  std::size_t n_model;  // the first ones, which inference reads
  std::vector<model::TensorBuilder> all;
};

std::vector<quant::TensorSpec> specs_of(const Builders& builders) {
  std::vector<quant::TensorSpec> specs;
  for (const model::TensorBuilder& builder : builders.all) specs.push_back(builder.spec());
  return specs;
}

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

/// The checkpoint's files as they are when a conversion begins.
class SourceFiles {
 public:
  explicit SourceFiles(const formats::Checkpoint& checkpoint) {
    for (const std::filesystem::path& path : checkpoint.files()) {
      states_.emplace_back(path, formats::file_state(path));
    }
  }

  /// Tells them from others, but for the folder they lie in, which may be moved. Pieces of a
  /// damaged file must not be kept when a sound one takes its place, whatever time it was given.
  std::string identity() const {
    std::string text;
    for (const auto& [path, state] : states_) {
      if (!state.is_there) continue;
      text += fmt::format("{} {} {} {}\n", path.filename().string(), state.size, state.modified_ns,
                          state.changed_ns);
    }
    return text;
  }

  /// Errors: LoadError naming a file that was written, removed or replaced meanwhile.
  void check_unchanged() const {
    for (const auto& [path, before] : states_) {
      const formats::FileState now = formats::file_state(path);
      if (now.is_there == before.is_there && now.size == before.size &&
          now.modified_ns == before.modified_ns) {
        continue;
      }
      throw formats::LoadError(path.string(), "changed while it was read");
    }
  }

 private:
  std::vector<std::pair<std::filesystem::path, formats::FileState>> states_;
};

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
                specs_of(builders_),
                {.unfinished =
                     options.resume ? formats::Unfinished::kKeep : formats::Unfinished::kDiscard,
                 .compressed = options.compress,
                 .source = source_of(checkpoint, files_, recipe, options)}),
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
      const auto start = Clock::now();
      if (job.learns >= 0) {
        learn(job, recovered);
      } else {
        make(job, recovered, worker);
      }
      const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
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
  using Clock = std::chrono::steady_clock;
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

  static std::string source_of(const formats::Checkpoint& checkpoint, const SourceFiles& files,
                               const quant::Recipe& recipe, const ConvertOptions& options) {
    return std::string(kRounding) + " " + leyden::fingerprint(checkpoint, recipe) + " " +
           (options.calibration == nullptr ? "" : options.calibration->fingerprint()) + "\n" +
           files.identity();
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
  using Clock = std::chrono::steady_clock;
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
      const auto start = Clock::now();
      all[i]->build(piece, buffer.data());
      seconds += std::chrono::duration<double>(Clock::now() - start).count();
      sampled_bytes += static_cast<double>(buffer.size());
    }
    total += bytes * seconds / sampled_bytes;
  }
  return total;
}

}  // namespace leyden
