#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/container_reader.h"
#include "formats/mapped_file.h"
#include "formats/model_config.h"
#include "src/model/placement.h"
#include "src/model/tensor_plan.h"
#include "src/model/weights.h"
#include "src/runtime/memory.h"
#include "src/runtime/thread_team.h"

namespace leyden::model {

/// A model in memory: everything that was in its files, bound and checked.
struct LoadedModel {
  std::string source;  // the path it came from
  formats::ModelConfig config;
  std::string recipe;
  std::string fingerprint;  // of model and recipe: a container's, or src/fingerprint.h
  std::optional<std::string> tokenizer_json, generation_config;
  bool has_chat_template = false;  // in tokenizer_config.json or a file of its own

  Placement placement;
  std::vector<runtime::Memory> arenas;         // where the tensors are, one per node, or
  std::optional<formats::MappedFile> mapping;  // the file that holds them
  TensorTable tensors;
  ModelWeights weights;
};

/// Takes over a checkpoint's or container's small files. read: their text by name, if there.
void adopt_companions(LoadedModel& loaded,
                      const std::function<std::optional<std::string>(std::string_view)>& read);

/// Bytes done and in all.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Chooses the format of a planned tensor.
using FormatChooser = std::function<quant::WeightFormat(const PlannedTensor&)>;

/// Where the weights of a model shall lie.
struct WeightMemory {
  Placement placement;                     // of the tensors in the order they are loaded
  std::vector<runtime::MemoryHome> homes;  // of its arenas
  runtime::HugePages huge_pages = runtime::HugePages::kAuto;
};

/// All of it in one arena, wherever that is first touched.
WeightMemory one_arena(std::span<const quant::TensorSpec> specs);

/// What a checkpoint becomes: its tensors in the chosen formats, in loading order.
std::vector<quant::TensorSpec> tensor_specs(const formats::ModelConfig& config,
                                            const FormatChooser& choose);

/// Allocates the arenas and gives every tensor of `specs` its place; bytes are for the caller to
/// fill. Errors: std::bad_alloc.
void allocate_tensors(LoadedModel& loaded, std::span<const quant::TensorSpec> specs,
                      WeightMemory memory);

/// Reads an original checkpoint and quantizes it while loading, every piece by threads of the node
/// it goes to.
/// Errors: LoadError naming file, tensor, found and expected; std::bad_alloc.
std::unique_ptr<LoadedModel> load_checkpoint(const formats::Checkpoint& checkpoint,
                                             const std::string& recipe, const FormatChooser& choose,
                                             WeightMemory memory, runtime::ThreadTeam& team,
                                             const Progress& progress);

/// Reads a container in parallel, every piece by threads of the node it goes to.
/// Errors: LoadError naming file, tensor, found and expected; std::bad_alloc.
std::unique_ptr<LoadedModel> load_container(const formats::ContainerReader& container,
                                            WeightMemory memory, runtime::ThreadTeam& team,
                                            const Progress& progress);

/// Maps a container without a copy: several processes share its pages, which lie wherever they were
/// read first. lock: read it all and keep it in RAM. Errors: as load_container.
std::unique_ptr<LoadedModel> map_container(const formats::ContainerReader& container, bool lock);

}  // namespace leyden::model
