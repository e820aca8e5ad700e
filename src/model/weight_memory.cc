#include <array>

#include "src/model/loaded_model.h"

namespace leyden::model {

WeightMemory one_arena(std::span<const quant::TensorSpec> specs) {
  constexpr std::array kWorkers = {1};
  WeightMemory memory;
  memory.placement = place_tensors(specs, NumaPolicy::kSplit, kWorkers);
  memory.homes.resize(1);
  return memory;
}

std::vector<quant::TensorSpec> tensor_specs(const formats::ModelConfig& config,
                                            const FormatChooser& choose) {
  std::vector<quant::TensorSpec> specs;
  for (const PlannedTensor& planned : plan_tensors(config)) {
    specs.push_back(
        {planned.name, planned.layout, choose(planned), planned.count, planned.rows, planned.cols});
  }
  return specs;
}

void allocate_tensors(LoadedModel& loaded, std::span<const quant::TensorSpec> specs,
                      WeightMemory memory) {
  std::vector<std::byte*> arenas;
  for (std::size_t k = 0; k < memory.homes.size(); ++k) {
    const runtime::Memory& arena = loaded.arenas.emplace_back(memory.placement.arena_bytes[k],
                                                              memory.huge_pages, memory.homes[k]);
    arenas.push_back(arena.data());
  }
  loaded.placement = std::move(memory.placement);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    loaded.tensors[specs[i].name] = tensor_at(specs[i], loaded.placement.tensors[i], arenas);
  }
}

}  // namespace leyden::model
