#include "src/conversion_builders.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "formats/json_text.h"
#include "formats/load_error.h"
#include "src/model/layer_check.h"
#include "src/model/tied_head.h"
#include "src/recipes.h"

namespace leyden {
namespace {

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

/// Errors: LoadError naming a tensor of the calibration that is none of the plan's.
void check_names(const Calibration& calibration, const std::vector<model::PlannedTensor>& plan) {
  std::set<std::string_view> names;
  for (const model::PlannedTensor& planned : plan) names.insert(planned.name);
  for (const auto& [name, energy] : calibration.tensors()) {
    if (names.contains(name)) continue;
    throw formats::LoadError(
        calibration.source(),
        fmt::format("tensor '{}': this model has none of that name, so it is another model's "
                    "calibration",
                    formats::excerpt(name, 200)));
  }
}

}  // namespace

Builders::Builders(const formats::Checkpoint& checkpoint, const quant::Recipe& recipe,
                   const Calibration* calibration)
    : plan(model::plan_tensors(checkpoint.config())), n_model(plan.size()) {
  for (model::PlannedTensor& planned : mtp_tensors(checkpoint)) {
    plan.push_back(std::move(planned));
  }
  model::check_layers(checkpoint);
  model::check_tied_head(checkpoint);
  const model::FormatChooser choose = format_chooser(recipe, checkpoint);
  all.reserve(plan.size());
  for (const model::PlannedTensor& planned : plan) {
    const quant::WeightFormat format = choose(planned);
    std::vector<float> importance;
    if (calibration != nullptr && format == quant::WeightFormat::kInt4) {
      importance = calibration->importance(planned);
      const bool runs = all.size() < n_model;
      if (runs) n_int4 += planned.count;
      if (runs && !importance.empty()) n_calibrated += planned.count;
    }
    all.emplace_back(checkpoint, planned, format, std::move(importance));
  }
  if (calibration == nullptr) return;
  check_names(*calibration, plan);
  if (n_calibrated > 0) return;
  throw formats::LoadError(
      calibration->source(),
      "holds nothing about a tensor that becomes int4: another model's calibration, or a recipe "
      "without int4");
}

std::vector<Job> Builders::jobs(std::size_t n_ahead) const {
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

std::size_t Builders::n_pieces() const {
  std::size_t n = 0;
  for (const model::TensorBuilder& builder : all) n += static_cast<std::size_t>(builder.n_pieces());
  return n;
}

std::vector<quant::TensorSpec> Builders::specs() const {
  std::vector<quant::TensorSpec> specs;
  for (const model::TensorBuilder& builder : all) specs.push_back(builder.spec());
  return specs;
}

}  // namespace leyden
