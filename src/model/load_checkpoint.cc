#include <algorithm>

#include "src/model/load_meter.h"
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

std::unique_ptr<LoadedModel> load_checkpoint(const formats::Checkpoint& checkpoint,
                                             const std::string& recipe, const FormatChooser& choose,
                                             runtime::HugePages huge_pages,
                                             runtime::ThreadTeam& team, const Progress& progress) {
  auto loaded = std::make_unique<LoadedModel>();
  loaded->source = checkpoint.name();
  loaded->config = checkpoint.config();
  loaded->recipe = recipe;
  adopt_companions(*loaded, [&](std::string_view name) { return checkpoint.companion(name); });

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

  LoadMeter meter(layout.total(), progress);
  team.run(n_pieces, [&](int piece, int) {
    const auto after =
        std::upper_bound(jobs.begin(), jobs.end(), piece,
                         [](int wanted, const Job& job) { return wanted < job.first_piece; });
    const Job& job = *(after - 1);
    const TensorBuilder::Range range = job.builder.range(piece - job.first_piece);
    meter.attempt(range.bytes, [&] {
      job.builder.build(piece - job.first_piece, loaded->memory.data() + job.offset + range.offset);
    });
  });

  for (const Job& job : jobs) {
    const quant::TensorSpec& spec = job.builder.spec();
    loaded->tensors[spec.name] = {spec, loaded->memory.data() + job.offset};
  }
  loaded->weights = bind_weights(loaded->config, loaded->tensors, loaded->source);
  return loaded;
}

}  // namespace leyden::model
