#include "src/model/profile.h"

namespace leyden::model {

std::string_view name(Part part) {
  switch (part) {
    case Part::kAttention:
      return "attention";
    case Part::kIndexer:
      return "indexer";
    case Part::kExperts:
      return "experts";
    case Part::kDense:
      return "dense";
    case Part::kHead:
      return "head";
    case Part::kRest:
      return "rest";
  }
  return "?";
}

}  // namespace leyden::model
