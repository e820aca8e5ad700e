#include <algorithm>
#include <atomic>
#include <mutex>

#include "src/model/loaded_model.h"
#include "src/model/tensor_builder.h"

namespace leyden::model {
namespace {

/// One TensorBuilder and where its tensor goes.
struct Job {
  TensorBuilder builder;
  std::size_t offset = 0;
  int first_piece = 0;
};

}  // namespace

std::size_t MemoryLayout::place(std::size_t bytes) {
  constexpr std::size_t kHuge = std::size_t{2} << 20, kLine = 64;
  const std::size_t alignment = bytes >= kHuge ? kHuge : kLine;
  const std::size_t offset = (end_ + alignment - 1) / alignment * alignment;
  end_ = offset + bytes;
  return offset;
}

std::unique_ptr<LoadedModel> load_checkpoint(const formats::Checkpoint& checkpoint,
                                             const std::string& recipe, const FormatChooser& choose,
                                             runtime::HugePages huge_pages,
                                             runtime::ThreadTeam& team, const Progress& progress) {
  auto loaded = std::make_unique<LoadedModel>();
  loaded->source = checkpoint.name();
  loaded->config = checkpoint.config();
  loaded->recipe = recipe;
  loaded->tokenizer_json = checkpoint.companion("tokenizer.json");
  loaded->generation_config = checkpoint.companion("generation_config.json");

  const std::vector<PlannedTensor> plan = plan_tensors(loaded->config);
  std::vector<Job> jobs;
  jobs.reserve(plan.size());
  MemoryLayout layout;
  int n_pieces = 0;
  for (const PlannedTensor& planned : plan) {
    Job job = {TensorBuilder(checkpoint, planned, choose(planned))};
    job.offset = layout.place(job.builder.spec().bytes());
    job.first_piece = n_pieces;
    n_pieces += job.builder.n_pieces();
    jobs.push_back(std::move(job));
  }
  loaded->memory = runtime::Memory(layout.total(), huge_pages);

  std::mutex progress_mutex;
  std::uint64_t done = 0;
  std::atomic<bool> failed = false;
  team.run(n_pieces, [&](int piece, int) {
    if (failed.load(std::memory_order_relaxed)) return;
    const auto after =
        std::upper_bound(jobs.begin(), jobs.end(), piece,
                         [](int wanted, const Job& job) { return wanted < job.first_piece; });
    const Job& job = *(after - 1);
    const TensorBuilder::Range range = job.builder.range(piece - job.first_piece);
    try {
      job.builder.build(piece - job.first_piece, loaded->memory.data() + job.offset + range.offset);
    } catch (...) {
      failed.store(true, std::memory_order_relaxed);
      throw;
    }
    if (!progress) return;
    const std::lock_guard lock(progress_mutex);
    done += range.bytes;
    progress(done, layout.total());
  });

  for (const Job& job : jobs) {
    const quant::TensorSpec& spec = job.builder.spec();
    loaded->tensors[spec.name] = {spec, loaded->memory.data() + job.offset};
  }
  loaded->weights = bind_weights(loaded->config, loaded->tensors, loaded->source);
  return loaded;
}

}  // namespace leyden::model
