#include <algorithm>
#include <cstring>

#include "src/model/layer_check.h"
#include "src/model/load_meter.h"
#include "src/model/loaded_model.h"
#include "src/model/tensor_builder.h"
#include "src/model/tied_head.h"

namespace leyden::model {
namespace {

/// One TensorBuilder and where its tensor goes.
struct Job {
  TensorBuilder builder;
  int first_piece = 0;
  std::vector<Segment> segments;
};

std::uint64_t end_of(const Segment& segment) { return segment.from + segment.bytes; }

/// The first segment with bytes beyond `from`.
std::vector<Segment>::const_iterator segment_at(const Job& job, std::uint64_t from) {
  return std::ranges::find_if(job.segments, [&](const Segment& s) { return end_of(s) > from; });
}

/// Builds one piece where it belongs, or beside it if it belongs to several places.
void build(const Job& job, int piece) {
  const TensorBuilder::Range range = job.builder.range(piece);
  const std::uint64_t end = range.offset + range.bytes;
  auto segment = segment_at(job, range.offset);
  if (segment->from <= range.offset && end <= end_of(*segment)) {
    job.builder.build(piece, segment->to + (range.offset - segment->from));
    return;
  }
  const runtime::Memory whole(range.bytes);
  job.builder.build(piece, whole.data());
  for (; segment != job.segments.end() && segment->from < end; ++segment) {
    const std::uint64_t first = std::max<std::uint64_t>(range.offset, segment->from);
    const std::uint64_t last = std::min(end, end_of(*segment));
    std::memcpy(segment->to + (first - segment->from), whole.data() + (first - range.offset),
                last - first);
  }
}

}  // namespace

std::unique_ptr<LoadedModel> load_checkpoint(const formats::Checkpoint& checkpoint,
                                             const std::string& recipe, const FormatChooser& choose,
                                             WeightMemory memory, runtime::ThreadTeam& team,
                                             const Progress& progress) {
  auto loaded = std::make_unique<LoadedModel>();
  loaded->source = checkpoint.name();
  loaded->config = checkpoint.config();
  loaded->recipe = recipe;
  check_layers(checkpoint);
  check_tied_head(checkpoint);
  adopt_companions(*loaded, [&](std::string_view name) { return checkpoint.companion(name); });
  allocate_tensors(*loaded, tensor_specs(loaded->config, choose), std::move(memory));

  const std::vector<PlannedTensor> plan = plan_tensors(loaded->config);
  std::vector<Job> jobs;
  jobs.reserve(plan.size());
  std::uint64_t total = 0;
  int n_pieces = 0;
  for (const PlannedTensor& planned : plan) {
    Job job = {TensorBuilder(checkpoint, planned, choose(planned)), n_pieces,
               segments(loaded->tensors.at(planned.name))};
    n_pieces += job.builder.n_pieces();
    total += job.builder.spec().bytes();
    jobs.push_back(std::move(job));
  }

  // The job a piece belongs to; the piece is then counted from the job's first.
  const auto job_of = [&](int& piece) -> const Job& {
    const auto after = std::ranges::upper_bound(jobs, piece, {}, &Job::first_piece);
    piece -= (after - 1)->first_piece;
    return *(after - 1);
  };
  LoadMeter meter(total, progress);
  team.run(
      n_pieces,
      [&](int piece, int) {
        const Job& job = job_of(piece);
        meter.attempt(job.builder.range(piece).bytes, [&] { build(job, piece); });
      },
      [&](int piece) {
        const Job& job = job_of(piece);
        return segment_at(job, job.builder.range(piece).offset)->node;
      });
  loaded->weights = bind_weights(loaded->config, loaded->tensors, loaded->source);
  return loaded;
}

}  // namespace leyden::model
