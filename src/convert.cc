#include "src/convert.h"

#include <memory>

#include "formats/container_writer.h"
#include "src/model/load_meter.h"
#include "src/model/tensor_builder.h"
#include "src/recipes.h"
#include "src/runtime/memory.h"

namespace leyden {
namespace {

/// The builders of all tensors; they borrow the plan.
struct Builders {
  Builders(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe)
      : plan(model::plan_tensors(checkpoint.config())) {
    const model::FormatChooser choose = format_chooser(recipe, checkpoint);
    all.reserve(plan.size());
    for (const model::PlannedTensor& planned : plan) {
      all.emplace_back(checkpoint, planned, choose(planned));
    }
  }

  std::vector<model::PlannedTensor> plan;
  std::vector<model::TensorBuilder> all;
};

ConversionPlan plan_of(const Builders& builders) {
  ConversionPlan plan;
  for (const model::TensorBuilder& builder : builders.all) {
    plan.tensors.push_back(builder.spec());
    plan.tensor_bytes += builder.spec().bytes();
  }
  return plan;
}

std::vector<formats::Blob> blobs_of(const formats::Checkpoint& checkpoint) {
  std::vector<formats::Blob> blobs = {{"config.json", checkpoint.config_text()}};
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    if (auto text = checkpoint.companion(name)) blobs.push_back({name, std::move(*text)});
  }
  return blobs;
}

}  // namespace

ConversionPlan plan_conversion(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe) {
  return plan_of(Builders(checkpoint, recipe));
}

std::string convert(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
                    const std::filesystem::path& out, runtime::ThreadTeam& team,
                    const ConvertProgress& progress) {
  const Builders builders(checkpoint, recipe);
  const ConversionPlan plan = plan_of(builders);
  formats::ContainerWriter writer(out, recipe.name, blobs_of(checkpoint), plan.tensors);

  std::vector<runtime::Memory> buffers(static_cast<std::size_t>(team.size()));
  model::LoadMeter meter(plan.tensor_bytes, progress);
  // Tensor after tensor, in the order of the plan: shards are read from front to back.
  for (std::size_t i = 0; i < builders.all.size(); ++i) {
    const model::TensorBuilder& builder = builders.all[i];
    team.run(builder.n_pieces(), [&](int piece, int worker) {
      const model::TensorBuilder::Range range = builder.range(piece);
      meter.attempt(range.bytes, [&] {
        runtime::Memory& buffer = buffers[static_cast<std::size_t>(worker)];
        if (buffer.size() < range.bytes) buffer = runtime::Memory(range.bytes);
        builder.build(piece, buffer.data());
        writer.write(i, range.offset, {buffer.data(), range.bytes});
      });
    });
  }
  return writer.finish();
}

}  // namespace leyden
