#pragma once

#include <functional>
#include <string>
#include <vector>

#include "formats/container_reader.h"
#include "quant/error.h"
#include "src/runtime/thread_team.h"

namespace leyden {

/// A tensor that both of two containers hold, with the same shape.
struct TensorDifference {
  std::string name;
  quant::WeightFormat first, second;  // formats
  bool identical = false;             // the same format and the same bytes
  quant::ErrorFigures figures;        // of the second one's weights, against the first one's
};

struct ContainerDifference {
  std::vector<TensorDifference> tensors;  // in the first one's order
  quant::ErrorFigures total;              // over all of them
  std::vector<std::string> only_first, only_second, other_shape;
};

/// Compares the weights of two containers, whatever their formats are. Memory: a few MB a thread.
/// progress: bytes of the first one done and in all; by one thread at a time.
/// Errors: LoadError if one can't be read, or holds a damaged tensor: found out where the bytes of
/// two tensors are the same but their checksums aren't, or the other way round.
ContainerDifference compare(const formats::ContainerReader& first,
                            const formats::ContainerReader& second, runtime::ThreadTeam& team,
                            const std::function<void(std::uint64_t, std::uint64_t)>& progress);

}  // namespace leyden
