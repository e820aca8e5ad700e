#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/container_index.h"
#include "formats/container_reader.h"
#include "formats/mapped_file.h"
#include "formats/model_config.h"
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
  bool has_chat_template = false;  // tokenizer_config.json brings a Jinja template

  runtime::Memory memory;                      // where the tensors are, or
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

/// Places tensors one after the other in one piece of memory, aligned as in a container: those of
/// 2 MiB and more start on a huge page.
class MemoryLayout {
 public:
  /// The offset of the next tensor.
  std::size_t place(std::size_t bytes) {
    const std::size_t alignment = formats::alignment_of(bytes);
    const std::size_t offset = (end_ + alignment - 1) / alignment * alignment;
    end_ = offset + bytes;
    return offset;
  }
  std::size_t total() const { return end_; }

 private:
  std::size_t end_ = 0;
};

/// Reads an original checkpoint and quantizes it while loading.
/// Errors: LoadError naming file, tensor, found and expected; std::bad_alloc.
std::unique_ptr<LoadedModel> load_checkpoint(const formats::Checkpoint& checkpoint,
                                             const std::string& recipe, const FormatChooser& choose,
                                             runtime::HugePages huge_pages,
                                             runtime::ThreadTeam& team, const Progress& progress);

/// Reads a container, in parallel, into memory of its own, or maps it without a copy.
/// Errors: LoadError naming file, tensor, found and expected; std::bad_alloc.
std::unique_ptr<LoadedModel> load_container(const formats::ContainerReader& container, bool mapped,
                                            runtime::HugePages huge_pages,
                                            runtime::ThreadTeam& team, const Progress& progress);

}  // namespace leyden::model
